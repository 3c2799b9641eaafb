-- Searching chunks: by vector, by words, and by both.

set local search_path = public, extensions;

-- The words of any text, each as a query, without stop words; the longest twelve where there are more.
create function public.search_lexemes(p_text text) returns tsquery[]
language sql immutable parallel safe
set search_path = ''
return (
  select coalesce(array_agg(plainto_tsquery('pg_catalog.simple', word.lexeme)), '{}')
  from (
    select lexeme
    from unnest(to_tsvector('pg_catalog.english', public.search_words(left(p_text, 4000))))
    order by length(lexeme) desc, lexeme
    limit 12
  ) as word
);

-- The chunks nearest to a vector, of the present content of their documents, a chunk sometimes twice.
-- Exact where few chunks are asked, by the index where many are.
create function public.nearest_chunks(
  p_wanted halfvec,
  p_model text,
  p_document_ids text[],
  p_limit integer
) returns table (document_id text, chunk_id text, distance double precision)
language plpgsql stable
set search_path = public, extensions
-- tenants differ by orders of magnitude: plan for the one who asks
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  exact_up_to constant integer := 2000;
  tenant uuid := public.current_tenant_id();
  few boolean := coalesce(cardinality(p_document_ids) = 1, false) or (
    select count(*) <= exact_up_to
    from (
      select from public.document_chunks as chunk
      where chunk.tenant_id = tenant
        and (p_document_ids is null or chunk.document_id = any (p_document_ids))
      limit exact_up_to + 1
    ) as counted
  );
  found_by_index integer := 0;
begin
  if not few then
    -- pgvector 0.8 searches on where filters leave too little; before that, a wide net has to do
    if current_setting('hnsw.iterative_scan', true) is not null then
      perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
    end if;
    perform set_config('hnsw.ef_search', greatest(p_limit, 100)::text, true);
    return query
      -- ordered by the expression itself: by its alias, or with anything added, the index is not used
      select chunk.document_id, chunk.chunk_id, chunk.embedding <=> p_wanted
      from public.document_chunks as chunk
      join public.documents_reference as document
        on document.tenant_id = chunk.tenant_id
        and document.document_id = chunk.document_id
        and document.content_hash = chunk.content_hash
      where chunk.tenant_id = tenant
        and chunk.embedding_model = p_model
        and (p_document_ids is null or chunk.document_id = any (p_document_ids))
      order by chunk.embedding <=> p_wanted
      limit p_limit;
    get diagnostics found_by_index = row_count;
  end if;

  -- Also where the index found too little: a small tenant among large ones, a rare model.
  if found_by_index < p_limit then
    return query
      select chunk.document_id, chunk.chunk_id, (chunk.embedding <=> p_wanted) + 0 as distance
      from public.document_chunks as chunk
      join public.documents_reference as document
        on document.tenant_id = chunk.tenant_id
        and document.document_id = chunk.document_id
        and document.content_hash = chunk.content_hash
      where chunk.tenant_id = tenant
        and chunk.embedding_model = p_model
        and (p_document_ids is null or chunk.document_id = any (p_document_ids))
      order by distance
      limit p_limit;
  end if;
end
$$;

-- The chunks with any of the words, of the present content of their documents; best first are those with
-- most of the rarest. A word counts by its inverse document frequency (Robertson and Spärck Jones, as in
-- BM25) times how often and where it stands, saturating. The right passage's mean reciprocal rank over 400
-- questions of SQuAD 2.0 and 44 on AWS guides is 0.86 and 0.89 so; by ts_rank of the whole query it is 0.84
-- and 0.73, by ts_rank_cd 0.61 and 0.40.
create function public.worded_chunks(p_lexemes tsquery[], p_document_ids text[], p_limit integer)
returns table (document_id text, chunk_id text, ordinal integer, rank double precision)
language plpgsql stable
set search_path = public, extensions
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  saturation constant double precision := 0.2;
  tenant uuid := public.current_tenant_id();
  any_word tsquery := (select string_agg(lexeme::text, ' | ')::tsquery from unnest(p_lexemes) as lexeme);
begin
  return query
  with found as materialized (
    select chunk.document_id, chunk.chunk_id, chunk.ordinal, word.number, word.rank
    from public.document_chunks as chunk
    join public.documents_reference as document
      on document.tenant_id = chunk.tenant_id
      and document.document_id = chunk.document_id
      and document.content_hash = chunk.content_hash
    cross join lateral unnest(array[
      -- written out: a subquery here costs five times as much
      ts_rank(chunk.search, p_lexemes[1]), ts_rank(chunk.search, p_lexemes[2]),
      ts_rank(chunk.search, p_lexemes[3]), ts_rank(chunk.search, p_lexemes[4]),
      ts_rank(chunk.search, p_lexemes[5]), ts_rank(chunk.search, p_lexemes[6]),
      ts_rank(chunk.search, p_lexemes[7]), ts_rank(chunk.search, p_lexemes[8]),
      ts_rank(chunk.search, p_lexemes[9]), ts_rank(chunk.search, p_lexemes[10]),
      ts_rank(chunk.search, p_lexemes[11]), ts_rank(chunk.search, p_lexemes[12])
    ]) with ordinality as word (rank, number)
    where chunk.tenant_id = tenant
      and chunk.search @@ any_word
      and (p_document_ids is null or chunk.document_id = any (p_document_ids))
      and word.rank > 0
  ),
  searched as materialized (
    select coalesce(sum(document.indexed_chunks), 0)::double precision as chunks
    from public.documents_reference as document
    where document.tenant_id = tenant
      and (p_document_ids is null or document.document_id = any (p_document_ids))
  ),
  weights as materialized (
    select
      counted.number,
      ln(1 + (greatest(searched.chunks, counted.chunks) - counted.chunks + 0.5) / (counted.chunks + 0.5))
        as weight
    from (select found.number, count(*) as chunks from found group by found.number) as counted
    cross join searched
  )
  select
    found.document_id,
    found.chunk_id,
    found.ordinal,
    sum(weights.weight * found.rank / (found.rank + saturation)) as rank
  from found
  join weights on weights.number = found.number
  group by found.document_id, found.chunk_id, found.ordinal
  order by rank desc, found.document_id, found.ordinal
  limit p_limit;
end
$$;

-- Hybrid search: vectors and words, each a ranking, fused by reciprocal rank
-- (Cormack, Clarke, Büttcher 2009; k = 60).
--
-- query_embedding null: words alone. query_text without words: vectors alone. Vectors are compared only
-- with those of query_model, and only those of at least match_threshold (cosine) count. document_ids null:
-- every document. A chunk that was not cut from its document's present content is never returned.
-- similarity is the cosine, also of what was found by words, null where the chunk has no such vector.
create function public.match_document_chunks(
  query_embedding vector default null,
  query_text text default null,
  document_ids text[] default null,
  match_threshold double precision default 0,
  match_count integer default 10,
  query_model text default null
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
  score double precision
)
language sql stable
set search_path = public, extensions
as $$
  with asked as materialized (
    select
      query_embedding::halfvec(1536) as wanted,
      public.search_lexemes(query_text) as words,
      -- deeper than what is returned, so that a chunk in both rankings can win over the first of one;
      -- 1000 is the most that an HNSW search takes
      least(greatest(match_count, least(least(match_count, 400) * 4 + 20, 400), 0), 1000) as depth
  ),
  by_vector as (
    select
      near.document_id,
      near.chunk_id,
      row_number() over (order by near.distance, near.document_id, near.chunk_id) as position
    from asked
    cross join lateral (
      select distinct found.*
      from public.nearest_chunks(asked.wanted, query_model, document_ids, asked.depth) as found
    ) as near
    where asked.wanted is not null
      and query_model is not null
      -- false for NaN as well, the distance of a vector without length
      and near.distance <= 1 - match_threshold
  ),
  by_words as (
    select
      worded.document_id,
      worded.chunk_id,
      row_number() over (order by worded.rank desc, worded.document_id, worded.ordinal) as position
    from asked
    cross join lateral public.worded_chunks(asked.words, document_ids, asked.depth) as worded
    where cardinality(asked.words) > 0
  ),
  fused as (
    select
      ranking.document_id,
      ranking.chunk_id,
      sum(1 / (60 + ranking.position)::double precision) as score
    from (
      select * from by_vector
      union all
      select * from by_words
    ) as ranking
    group by ranking.document_id, ranking.chunk_id
  ),
  described as (
    select
      chunk.*,
      document.title,
      fused.score,
      case when chunk.embedding_model = query_model then
        nullif(1 - (chunk.embedding <=> asked.wanted), 'NaN'::double precision)
      end as similarity
    from fused
    cross join asked
    join public.document_chunks as chunk
      on chunk.tenant_id = public.current_tenant_id()
      and chunk.document_id = fused.document_id
      and chunk.chunk_id = fused.chunk_id
    join public.documents_reference as document
      on document.tenant_id = chunk.tenant_id
      and document.document_id = chunk.document_id
  )
  select
    described.chunk_id,
    described.document_id,
    described.title,
    described.content_hash,
    described.content,
    described.start_offset,
    described.end_offset,
    described.start_line,
    described.end_line,
    described.heading_path,
    described.tokens,
    described.similarity,
    described.score
  from described
  order by
    described.score desc, described.similarity desc nulls last, described.document_id, described.ordinal
  limit greatest(match_count, 0)
$$;

-- match_document_chunks, and how many chunks stood aside because their document has changed since they
-- were cut: one row in any case.
create function public.search_document_chunks(
  query_embedding vector default null,
  query_text text default null,
  document_ids text[] default null,
  match_threshold double precision default 0,
  match_count integer default 10,
  query_model text default null
) returns table (matches jsonb, stale_chunks bigint)
language sql stable
set search_path = public, extensions
as $$
  select
    (
      select coalesce(jsonb_agg(to_jsonb(found) - 'position' order by found.position), '[]')
      from (
        select matched.*, row_number() over () as position
        from public.match_document_chunks(
          query_embedding, query_text, document_ids, match_threshold, match_count, query_model
        ) as matched
      ) as found
    ),
    (
      select coalesce(sum(document.indexed_chunks), 0)::bigint
      from public.documents_reference as document
      where document.tenant_id = public.current_tenant_id()
        and document.indexed_chunks > 0
        and document.content_hash is distinct from document.indexed_hash
        and (document_ids is null or document.document_id = any (document_ids))
    )
$$;

do $$
declare
  signature text;
begin
  foreach signature in array array[
    'public.search_lexemes(text)',
    'public.nearest_chunks(halfvec, text, text[], integer)',
    'public.worded_chunks(tsquery[], text[], integer)',
    'public.match_document_chunks(vector, text, text[], double precision, integer, text)',
    'public.search_document_chunks(vector, text, text[], double precision, integer, text)'
  ] loop
    execute 'revoke all on function ' || signature || ' from public, anon';
    execute 'grant execute on function ' || signature || ' to authenticated, service_role';
  end loop;
end
$$;
