-- Passages come with the texts of their documents: only there does it show what tells a passage from its twin.

set local search_path = public, extensions;

drop function public.search_document_chunks(vector, text, text[], double precision, integer, text);
drop function public.read_document_chunks(text[], integer);

-- match_document_chunks, and how many chunks stood aside because their document has changed since they
-- were cut: one row in any case. `texts` are those of the documents found, in the order of their best
-- chunks, each once and whole: as many as have no more than text_bytes (UTF-8) together, but for one that has
-- more alone; `text_hashes` are their content_hash.
create function public.search_document_chunks(
  query_embedding vector default null,
  query_text text default null,
  document_ids text[] default null,
  match_threshold double precision default 0,
  match_count integer default 10,
  query_model text default null,
  text_bytes integer default 0
) returns table (matches jsonb, stale_chunks bigint, text_hashes text[], texts text[])
language sql stable
set search_path = public, extensions
as $$
  with found as materialized (
    select matched.*, row_number() over () as position
    from public.match_document_chunks(
      query_embedding, query_text, document_ids, match_threshold, match_count, query_model
    ) as matched
  ),
  sized as (
    select
      best.position,
      document.content_hash,
      context.content,
      sum(octet_length(context.content)) over (order by best.position) as bytes_so_far
    from (
      select found.document_id, min(found.position) as position
      from found
      where text_bytes > 0
      group by found.document_id
    ) as best
    join public.documents_reference as document
      on document.tenant_id = public.current_tenant_id()
      and document.document_id = best.document_id
    cross join lateral (
      select coalesce(document.markdown_content, document.typescript_content, document.json_file::text)
    ) as context (content)
    where octet_length(context.content) <= text_bytes
  )
  select
    (select coalesce(jsonb_agg(to_jsonb(found) - 'position' order by found.position), '[]') from found),
    (
      select coalesce(sum(document.indexed_chunks), 0)::bigint
      from public.documents_reference as document
      where document.tenant_id = public.current_tenant_id()
        and document.indexed_chunks > 0
        and document.content_hash is distinct from document.indexed_hash
        and (document_ids is null or document.document_id = any (document_ids))
    ),
    brought.hashes,
    brought.contents
  from (
    select
      coalesce(array_agg(sized.content_hash order by sized.position), '{}') as hashes,
      coalesce(array_agg(sized.content order by sized.position), '{}') as contents
    from sized
    where sized.bytes_so_far <= text_bytes
  ) as brought
$$;

-- The chunks of the documents named, in this order, then in the order of their text: of as many documents as
-- have no more than p_max_tokens together, each whole. One that was not cut from its present content is left
-- out. The columns are those of match_document_chunks; nothing was compared, so similarity is null. Then
-- document_text: the whole document's, with its first chunk; null with the others, and with those of a
-- document that does not fit into p_text_bytes (UTF-8), alone or together with the ones before it.
create function public.read_document_chunks(
  p_document_ids text[],
  p_max_tokens integer,
  p_text_bytes integer default 0
) returns table (
  chunk_id text,
  document_id text,
  document_title text,
  content_hash text,
  content text,
  start_offset integer,
  end_offset integer,
  start_line integer,
  end_line integer,
  heading_path text[],
  tokens integer,
  similarity double precision,
  score double precision,
  document_text text
)
language sql stable
set search_path = public, extensions
as $$
  with asked as (
    select entry.document_id, min(entry.position) as position
    from unnest(p_document_ids) with ordinality as entry (document_id, position)
    group by entry.document_id
  ),
  present as (
    select
      asked.position,
      document.tenant_id,
      document.document_id,
      document.title,
      document.content_hash,
      coalesce(document.markdown_content, document.typescript_content, document.json_file::text) as context
    from asked
    join public.documents_reference as document
      on document.tenant_id = public.current_tenant_id()
      and document.document_id = asked.document_id
      and document.content_hash = document.indexed_hash
  ),
  sized as (
    select present.document_id, present.position, sum(chunk.tokens) as tokens
    from present
    join public.document_chunks as chunk
      on chunk.tenant_id = present.tenant_id and chunk.document_id = present.document_id
    group by present.document_id, present.position
  ),
  fitting as (
    select summed.document_id
    from (
      select sized.document_id, sum(sized.tokens) over (order by sized.position) as tokens_so_far
      from sized
    ) as summed
    where summed.tokens_so_far <= p_max_tokens
  ),
  whole as (
    select
      present.*,
      case
        when octet_length(present.context) <= p_text_bytes
          and sum(octet_length(present.context)) filter (where octet_length(present.context) <= p_text_bytes)
            over (order by present.position) <= p_text_bytes
        then present.context
      end as text
    from present
    where present.document_id in (select fitting.document_id from fitting)
  )
  select
    chunk.chunk_id,
    chunk.document_id,
    whole.title,
    chunk.content_hash,
    chunk.content,
    chunk.start_offset,
    chunk.end_offset,
    chunk.start_line,
    chunk.end_line,
    chunk.heading_path,
    chunk.tokens,
    null::double precision,
    0::double precision,
    case when chunk.ordinal = min(chunk.ordinal) over (partition by chunk.document_id) then whole.text end
  from whole
  join public.document_chunks as chunk
    on chunk.tenant_id = whole.tenant_id
    and chunk.document_id = whole.document_id
    and chunk.content_hash = whole.content_hash
  order by whole.position, chunk.ordinal
$$;

create or replace function public.schema_version() returns table (version text)
language sql immutable parallel safe
set search_path = ''
as $$ select '20261121000800' $$;

do $$
declare
  signature text;
begin
  foreach signature in array array[
    'public.search_document_chunks(vector, text, text[], double precision, integer, text, integer)',
    'public.read_document_chunks(text[], integer, integer)'
  ] loop
    execute 'revoke all on function ' || signature || ' from public, anon';
    execute 'grant execute on function ' || signature || ' to authenticated, service_role';
  end loop;
end
$$;
