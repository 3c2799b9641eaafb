-- Documents, their chunks, their analyses, and the ledger.
-- tenant_id comes first in every key, so that each table can be hash-distributed by tenant (Citus).

set local search_path = public, extensions;

-- Words for full text: punctuation separates, so that `user.name`, `Vec<String>` and `a_b` are
-- found by their parts (the default parser takes them for a host, a tag and one word).
create function public.search_words(p_text text) returns text
language sql immutable parallel safe
set search_path = ''
return translate(p_text, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32));

create function public.chunk_search_vector(p_heading_path text[], p_content text) returns tsvector
language sql immutable parallel safe
set search_path = ''
return
  setweight(
    to_tsvector('pg_catalog.english', public.search_words(left(array_to_string(p_heading_path, ' '), 10000))),
    'A'
  )
  || setweight(to_tsvector('pg_catalog.english', public.search_words(left(p_content, 100000))), 'B');

create table public.documents_reference (
  tenant_id uuid not null default public.current_tenant_id(),
  document_id text not null check (char_length(document_id) between 1 and 512),
  title text not null default '',
  markdown_content text,
  typescript_content text,
  json_file json,
  -- SHA-256 of the context in UTF-8, hexadecimal; kept by a trigger
  content_hash text,
  -- the content that the chunks were cut from, and how many there are
  indexed_hash text,
  indexed_chunks integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, document_id)
);

create index documents_reference_stale on public.documents_reference (tenant_id)
  where indexed_chunks > 0 and content_hash is distinct from indexed_hash;

create function public.set_document_version() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.content_hash := encode(
    sha256(
      convert_to(
        coalesce(new.markdown_content, new.typescript_content, new.json_file::text), 'UTF8'
      )
    ),
    'hex'
  );
  new.updated_at := now();
  return new;
end
$$;

create trigger set_document_version
before insert or update of title, markdown_content, typescript_content, json_file, content_hash, updated_at
on public.documents_reference
for each row execute function public.set_document_version();

create table public.document_chunks (
  tenant_id uuid not null default public.current_tenant_id(),
  document_id text not null,
  -- made of the document, the chunk's text and its occurrence: stable while the text stands
  chunk_id text not null,
  ordinal integer not null,
  content text not null,
  -- UTF-16 code units
  start_offset integer not null,
  end_offset integer not null,
  -- 0-based, the last one included
  start_line integer not null,
  end_line integer not null,
  heading_path text[] not null default '{}',
  tokens integer not null,
  text_hash text not null,
  -- the version of the document this was cut from
  content_hash text not null,
  embedding halfvec(1536),
  embedding_model text,
  search tsvector not null generated always as (public.chunk_search_vector(heading_path, content)) stored,
  primary key (tenant_id, document_id, chunk_id),
  foreign key (tenant_id, document_id)
    references public.documents_reference (tenant_id, document_id) on delete cascade,
  check ((embedding is null) = (embedding_model is null))
)
-- An edit moves the offsets of all later chunks: room on the page lets those updates stay off the indexes.
with (fillfactor = 70);

create index document_chunks_embedding on public.document_chunks
  using hnsw (embedding halfvec_cosine_ops);
create index document_chunks_search on public.document_chunks using gin (search);

create table public.document_analysis (
  tenant_id uuid not null default public.current_tenant_id(),
  document_id text not null,
  analysis_type text not null,
  analysis_result jsonb not null,
  -- the version of the document that was analysed
  content_hash text not null,
  -- of what made the result: prompt, schema, linter
  analysis_version text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, document_id, analysis_type),
  foreign key (tenant_id, document_id)
    references public.documents_reference (tenant_id, document_id) on delete cascade
);

-- The ledger: one row an attempt at a provider. Append-only for a tenant.
create table public.ai_usage (
  tenant_id uuid not null default public.current_tenant_id(),
  usage_id uuid not null default gen_random_uuid(),
  request_id text not null,
  task text not null,
  provider text not null,
  model text not null,
  outcome text not null,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  reasoning_tokens bigint not null default 0,
  -- counted by us, not by the provider
  estimated boolean not null default false,
  -- null is unknown, never free
  cost_usd numeric,
  first_token_ms double precision,
  duration_ms double precision not null,
  -- HTTP status; null when none came
  status integer,
  -- the provider's own error code
  code text,
  streamed boolean not null default false,
  started_at timestamptz not null default now(),
  primary key (tenant_id, usage_id)
);

create index ai_usage_by_time on public.ai_usage (tenant_id, started_at);

alter table public.documents_reference enable row level security;
alter table public.documents_reference force row level security;
alter table public.document_chunks enable row level security;
alter table public.document_chunks force row level security;
alter table public.document_analysis enable row level security;
alter table public.document_analysis force row level security;
alter table public.ai_usage enable row level security;
alter table public.ai_usage force row level security;

create policy tenant on public.documents_reference to authenticated
  using (tenant_id = (select public.current_tenant_id()))
  with check (tenant_id = (select public.current_tenant_id()));
create policy tenant on public.document_chunks to authenticated
  using (tenant_id = (select public.current_tenant_id()))
  with check (tenant_id = (select public.current_tenant_id()));
create policy tenant on public.document_analysis to authenticated
  using (tenant_id = (select public.current_tenant_id()))
  with check (tenant_id = (select public.current_tenant_id()));
create policy tenant_reads on public.ai_usage for select to authenticated
  using (tenant_id = (select public.current_tenant_id()));
create policy tenant_appends on public.ai_usage for insert to authenticated
  with check (tenant_id = (select public.current_tenant_id()));

-- Where service_role could not be given bypassrls. (Where it could, these would only let the members of
-- service_role, such as the owner, see all rows without taking on the role.)
do $$
declare
  named text;
begin
  if (select rolbypassrls from pg_catalog.pg_roles where rolname = 'service_role') then
    return;
  end if;
  foreach named in array array['documents_reference', 'document_chunks', 'document_analysis', 'ai_usage'] loop
    execute format(
      'create policy service on public.%I to service_role using (true) with check (true)', named
    );
  end loop;
end
$$;

-- Supabase grants everything on new tables by default.
revoke all on public.documents_reference, public.document_chunks, public.document_analysis, public.ai_usage
  from public, anon, authenticated;
grant select, insert, update, delete
  on public.documents_reference, public.document_chunks, public.document_analysis
  to authenticated, service_role;
grant select, insert on public.ai_usage to authenticated;
grant select, insert, update, delete on public.ai_usage to service_role;

revoke all on function public.search_words(text) from public, anon;
revoke all on function public.chunk_search_vector(text[], text) from public, anon;
revoke all on function public.set_document_version() from public, anon;
grant execute on function public.search_words(text) to authenticated, service_role;
grant execute on function public.chunk_search_vector(text[], text) to authenticated, service_role;
grant execute on function public.set_document_version() to authenticated, service_role;
