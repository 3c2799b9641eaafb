-- Reading and writing documents and their analyses.
-- Every function names its tenant itself: service_role passes row level security by.

create function public.document_kind(p_markdown text, p_typescript text, p_json json) returns text
language sql immutable parallel safe
set search_path = ''
return case
  when p_markdown is not null then 'markdown'
  when p_typescript is not null then 'typescript'
  when p_json is not null then 'json'
end;

-- The tenant of the claims, or an error where there is none.
create function public.required_tenant_id() returns uuid
language plpgsql stable
set search_path = ''
as $$
declare
  tenant uuid := public.current_tenant_id();
begin
  if tenant is null then
    raise insufficient_privilege using message = 'the claims name no tenant';
  end if;
  return tenant;
end
$$;

-- One document and, where its content and the version still hold, its stored analysis.
-- No version takes any; no type, none.
create function public.get_document(
  p_document_id text,
  p_analysis_type text default null,
  p_analysis_version text default null
) returns table (
  document_id text,
  title text,
  kind text,
  content text,
  content_hash text,
  created_at timestamptz,
  updated_at timestamptz,
  indexed boolean,
  analysis jsonb
)
language sql stable
set search_path = ''
as $$
  select
    document.document_id,
    document.title,
    public.document_kind(document.markdown_content, document.typescript_content, document.json_file),
    coalesce(document.markdown_content, document.typescript_content, document.json_file::text),
    document.content_hash,
    document.created_at,
    document.updated_at,
    coalesce(document.indexed_hash = document.content_hash, false),
    stored.analysis_result
  from public.documents_reference as document
  left join public.document_analysis as stored
    on stored.tenant_id = document.tenant_id
    and stored.document_id = document.document_id
    and stored.analysis_type = p_analysis_type
    and stored.content_hash = document.content_hash
    and stored.analysis_version = coalesce(p_analysis_version, stored.analysis_version)
  where document.tenant_id = public.current_tenant_id()
    and document.document_id = p_document_id
$$;

-- A page of documents in the order of their ids, after p_after.
create function public.list_documents(p_limit integer default 100, p_after text default null)
returns table (
  document_id text,
  title text,
  kind text,
  content_hash text,
  indexed boolean,
  created_at timestamptz,
  updated_at timestamptz
)
language sql stable
set search_path = ''
as $$
  select
    document.document_id,
    document.title,
    public.document_kind(document.markdown_content, document.typescript_content, document.json_file),
    document.content_hash,
    coalesce(document.indexed_hash = document.content_hash, false),
    document.created_at,
    document.updated_at
  from public.documents_reference as document
  where document.tenant_id = public.current_tenant_id()
    and document.document_id > coalesce(p_after, '')
  order by document.document_id
  limit p_limit
$$;

-- Writes one content field and empties the others. No title keeps the stored one, else takes the id.
-- What is already so is not written again: updated_at stands.
create function public.put_document(
  p_document_id text,
  p_kind text,
  p_content text,
  p_title text default null
) returns table (
  document_id text,
  title text,
  kind text,
  content text,
  content_hash text,
  created_at timestamptz,
  updated_at timestamptz
)
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
begin
  if p_kind not in ('markdown', 'typescript', 'json') then
    raise check_violation using message = 'p_kind is markdown, typescript or json';
  end if;
  insert into public.documents_reference as document
    (tenant_id, document_id, title, markdown_content, typescript_content, json_file)
  values (
    public.required_tenant_id(),
    p_document_id,
    coalesce(p_title, p_document_id),
    case p_kind when 'markdown' then p_content end,
    case p_kind when 'typescript' then p_content end,
    case p_kind when 'json' then p_content::json end
  )
  on conflict (tenant_id, document_id) do update set
    title = coalesce(p_title, document.title),
    markdown_content = excluded.markdown_content,
    typescript_content = excluded.typescript_content,
    json_file = excluded.json_file
  where document.title is distinct from coalesce(p_title, document.title)
    or document.markdown_content is distinct from excluded.markdown_content
    or document.typescript_content is distinct from excluded.typescript_content
    or document.json_file::text is distinct from excluded.json_file::text;
  return query
    select stored.document_id, stored.title, stored.kind, stored.content,
      stored.content_hash, stored.created_at, stored.updated_at
    from public.get_document(p_document_id) as stored;
end
$$;

-- Gives back the id of what was deleted; no row when there was nothing.
create function public.delete_document(p_document_id text) returns table (document_id text)
language sql
set search_path = ''
as $$
  delete from public.documents_reference as document
  where document.tenant_id = public.current_tenant_id()
    and document.document_id = p_document_id
  returning document.document_id
$$;

-- Stores an analysis of the document's present content; no row when that has moved on meanwhile.
create function public.put_analysis(
  p_document_id text,
  p_analysis_type text,
  p_analysis_version text,
  p_content_hash text,
  p_result jsonb
) returns table (document_id text)
language sql
set search_path = ''
as $$
  insert into public.document_analysis as stored
    (tenant_id, document_id, analysis_type, analysis_version, content_hash, analysis_result)
  select
    document.tenant_id, document.document_id, p_analysis_type, p_analysis_version, p_content_hash, p_result
  from public.documents_reference as document
  where document.tenant_id = public.current_tenant_id()
    and document.document_id = p_document_id
    and document.content_hash = p_content_hash
  on conflict (tenant_id, document_id, analysis_type) do update set
    analysis_version = excluded.analysis_version,
    content_hash = excluded.content_hash,
    analysis_result = excluded.analysis_result,
    updated_at = now()
  returning stored.document_id
$$;

do $$
declare
  signature text;
begin
  foreach signature in array array[
    'public.document_kind(text, text, json)',
    'public.required_tenant_id()',
    'public.get_document(text, text, text)',
    'public.list_documents(integer, text)',
    'public.put_document(text, text, text, text)',
    'public.delete_document(text)',
    'public.put_analysis(text, text, text, text, jsonb)'
  ] loop
    execute 'revoke all on function ' || signature || ' from public, anon';
    execute 'grant execute on function ' || signature || ' to authenticated, service_role';
  end loop;
end
$$;
