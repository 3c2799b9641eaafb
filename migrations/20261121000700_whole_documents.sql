-- Reading documents whole, passage by passage.

set local search_path = public, extensions;

-- The chunks of the documents named, in this order, then in the order of their text: of as many documents as
-- have no more than p_max_tokens together, each whole. One that was not cut from its present content is left
-- out. The columns are those of match_document_chunks; nothing was compared, so similarity is null.
create function public.read_document_chunks(p_document_ids text[], p_max_tokens integer)
returns table (
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
  score double precision
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
    select asked.position, document.tenant_id, document.document_id, document.title, document.content_hash
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
  )
  select
    chunk.chunk_id,
    chunk.document_id,
    present.title,
    chunk.content_hash,
    chunk.content,
    chunk.start_offset,
    chunk.end_offset,
    chunk.start_line,
    chunk.end_line,
    chunk.heading_path,
    chunk.tokens,
    null::double precision,
    0::double precision
  from fitting
  join present on present.document_id = fitting.document_id
  join public.document_chunks as chunk
    on chunk.tenant_id = present.tenant_id
    and chunk.document_id = present.document_id
    and chunk.content_hash = present.content_hash
  order by present.position, chunk.ordinal
$$;

create or replace function public.schema_version() returns table (version text)
language sql immutable parallel safe
set search_path = ''
as $$ select '20261121000700' $$;

create or replace function public.schema_version() returns table (version text)
language sql immutable parallel safe
set search_path = ''
as $$ select '20261121000700' $$;

revoke all on function public.read_document_chunks(text[], integer) from public, anon;
grant execute on function public.read_document_chunks(text[], integer) to authenticated, service_role;
