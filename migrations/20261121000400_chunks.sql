-- Replacing a document's chunks.

set local search_path = public, extensions;

-- The text hashes of a document's chunks that have a vector of this model: no need to embed them again.
create function public.embedded_text_hashes(p_document_id text, p_model text)
returns table (text_hash text)
language sql stable
set search_path = ''
as $$
  select distinct chunk.text_hash
  from public.document_chunks as chunk
  where chunk.tenant_id = public.current_tenant_id()
    and chunk.document_id = p_document_id
    and chunk.embedding_model = p_model
$$;

-- Replaces a document's chunks as a whole, or not at all.
--
-- p_chunks: [{ordinal, content, start_offset, end_offset, start_line, end_line, heading_path,
-- tokens, text_hash}]. p_vectors: one element a chunk; null where the stored vector of the same text
-- and model is to be used again (a chunk without either is found by words alone).
--
-- Gives no row for an unknown document, and applied = false, with nothing changed, when the document's
-- content is no longer that of p_content_hash. Otherwise: embedded chunks got a vector of this call,
-- reused ones keep or share a stored one, removed ones are gone.
create function public.replace_document_chunks(
  p_document_id text,
  p_content_hash text,
  p_chunks jsonb,
  p_model text default null,
  p_vectors vector[] default null
) returns table (applied boolean, total integer, embedded integer, reused integer, removed integer)
language plpgsql
set search_path = public, extensions
as $$
#variable_conflict use_column
declare
  tenant uuid := public.required_tenant_id();
  present_hash text;
begin
  if p_vectors is not null and cardinality(p_vectors) <> jsonb_array_length(p_chunks) then
    raise check_violation using message = 'p_vectors needs one element for each chunk';
  end if;

  -- Writers of this document wait here; readers do not.
  select document.content_hash into present_hash
  from public.documents_reference as document
  where document.tenant_id = tenant and document.document_id = p_document_id
  for no key update;
  if not found then
    return;
  end if;
  if present_hash is distinct from p_content_hash then
    return query select false, 0, 0, 0, 0;
    return;
  end if;

  return query
  with listed as (
    select
      chunk.*,
      p_vectors[entry.position]::halfvec(1536) as vector,
      row_number() over (partition by chunk.text_hash order by entry.position) as occurrence
    from jsonb_array_elements(p_chunks) with ordinality as entry (value, position)
    cross join lateral jsonb_to_record(entry.value) as chunk (
      ordinal integer,
      content text,
      start_offset integer,
      end_offset integer,
      start_line integer,
      end_line integer,
      heading_path text[],
      tokens integer,
      text_hash text
    )
  ),
  shared_vectors as (
    select distinct on (chunk.text_hash) chunk.text_hash, chunk.embedding
    from public.document_chunks as chunk
    where chunk.tenant_id = tenant
      and chunk.document_id = p_document_id
      and chunk.embedding_model = p_model
    order by chunk.text_hash
  ),
  incoming as materialized (
    select
      left(
        encode(sha256(convert_to(
          concat_ws(chr(31), p_document_id, listed.text_hash, listed.occurrence), 'UTF8'
        )), 'hex'),
        32
      ) as chunk_id,
      listed.*,
      shared_vectors.embedding as shared_vector
    from listed
    left join shared_vectors on shared_vectors.text_hash = listed.text_hash
  ),
  present as (
    select chunk.chunk_id, chunk.embedding_model
    from public.document_chunks as chunk
    where chunk.tenant_id = tenant and chunk.document_id = p_document_id
  ),
  gone as (
    delete from public.document_chunks as chunk
    where chunk.tenant_id = tenant
      and chunk.document_id = p_document_id
      and chunk.chunk_id not in (select incoming.chunk_id from incoming)
    returning 1
  ),
  -- A chunk that keeps its vector is updated without naming it, so that no index is touched.
  moved as (
    update public.document_chunks as chunk set
      ordinal = incoming.ordinal,
      start_offset = incoming.start_offset,
      end_offset = incoming.end_offset,
      start_line = incoming.start_line,
      end_line = incoming.end_line,
      tokens = incoming.tokens,
      content_hash = p_content_hash
    from incoming
    where chunk.tenant_id = tenant
      and chunk.document_id = p_document_id
      and chunk.chunk_id = incoming.chunk_id
      and incoming.vector is null
      and (incoming.shared_vector is null or chunk.embedding_model = p_model)
      and (
        chunk.ordinal, chunk.start_offset, chunk.end_offset,
        chunk.start_line, chunk.end_line, chunk.tokens, chunk.content_hash
      ) is distinct from (
        incoming.ordinal, incoming.start_offset, incoming.end_offset,
        incoming.start_line, incoming.end_line, incoming.tokens, p_content_hash
      )
  ),
  embedded_again as (
    update public.document_chunks as chunk set
      ordinal = incoming.ordinal,
      start_offset = incoming.start_offset,
      end_offset = incoming.end_offset,
      start_line = incoming.start_line,
      end_line = incoming.end_line,
      tokens = incoming.tokens,
      content_hash = p_content_hash,
      embedding = coalesce(incoming.vector, incoming.shared_vector),
      embedding_model = p_model
    from incoming
    where chunk.tenant_id = tenant
      and chunk.document_id = p_document_id
      and chunk.chunk_id = incoming.chunk_id
      and (
        incoming.vector is not null
        or (incoming.shared_vector is not null and chunk.embedding_model is distinct from p_model)
      )
  ),
  added as (
    insert into public.document_chunks (
      tenant_id, document_id, chunk_id, ordinal, content, start_offset, end_offset, start_line, end_line,
      heading_path, tokens, text_hash, content_hash, embedding, embedding_model
    )
    select
      tenant, p_document_id, incoming.chunk_id, incoming.ordinal, incoming.content,
      incoming.start_offset, incoming.end_offset, incoming.start_line, incoming.end_line,
      incoming.heading_path, incoming.tokens, incoming.text_hash, p_content_hash,
      coalesce(incoming.vector, incoming.shared_vector),
      case when coalesce(incoming.vector, incoming.shared_vector) is not null then p_model end
    from incoming
    where incoming.chunk_id not in (select present.chunk_id from present)
  ),
  counts as (
    select
      count(*)::integer as total,
      (count(*) filter (where incoming.vector is not null))::integer as embedded,
      (
        count(*) filter (where incoming.vector is null and incoming.shared_vector is not null)
      )::integer as reused,
      (select count(*)::integer from gone) as removed
    from incoming
  ),
  noted as (
    update public.documents_reference as document set
      indexed_hash = p_content_hash,
      indexed_chunks = counts.total
    from counts
    where document.tenant_id = tenant and document.document_id = p_document_id
  )
  select true, counts.total, counts.embedded, counts.reused, counts.removed from counts;
end
$$;

do $$
declare
  signature text;
begin
  foreach signature in array array[
    'public.embedded_text_hashes(text, text)',
    'public.replace_document_chunks(text, text, jsonb, text, vector[])'
  ] loop
    execute 'revoke all on function ' || signature || ' from public, anon';
    execute 'grant execute on function ' || signature || ' to authenticated, service_role';
  end loop;
end
$$;
