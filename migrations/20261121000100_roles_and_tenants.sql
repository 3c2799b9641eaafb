-- What Supabase already has, for a plain Postgres, and how a request's tenant is known.
-- Every statement only creates what is missing: on Supabase most of this file does nothing.

do $$
declare
  wanted text;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
    if exists (select from pg_catalog.pg_roles where rolname = wanted) then
      continue;
    end if;
    begin
      execute format('create role %I nologin noinherit', wanted);
      if wanted = 'service_role' then
        alter role service_role bypassrls;
      end if;
    exception
      -- roles belong to the cluster: another database's migration may create them at the same time
      when duplicate_object or unique_violation then null;
    end;
  end loop;
exception
  when insufficient_privilege then
    raise insufficient_privilege using
      message = 'the roles anon, authenticated and service_role are missing and '
        || current_user || ' may not create them',
      hint = 'As a superuser: create role anon nologin; create role authenticated nologin; '
        || 'create role service_role nologin bypassrls; grant authenticated, service_role to '
        || quote_ident(current_user) || ';';
end
$$;

-- The login user takes on the caller's role in every request.
do $$
declare
  wanted text;
  privilege text := case
    when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER'
  end;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
    if not pg_has_role(current_user, wanted, privilege) then
      begin
        execute format('grant %I to %I', wanted, current_user);
      exception
        when insufficient_privilege then
          raise notice '% may not become %: grant it by hand', current_user, wanted;
      end;
    end if;
  end loop;
end
$$;

do $$
begin
  if to_regnamespace('extensions') is null then
    create schema extensions;
    grant usage on schema extensions to anon, authenticated, service_role;
  end if;
  if not exists (select from pg_catalog.pg_extension where extname = 'vector') then
    create extension vector with schema extensions;
  end if;
exception
  when insufficient_privilege then
    raise insufficient_privilege using
      message = 'the extension vector is missing and ' || current_user || ' may not create it',
      hint = 'As a superuser: create schema if not exists extensions; '
        || 'grant usage on schema extensions to public; create extension vector with schema extensions;';
end
$$;

do $$
begin
  if to_regnamespace('auth') is null then
    create schema auth;
    grant usage on schema auth to anon, authenticated, service_role;
  end if;
  if not has_schema_privilege('auth', 'CREATE') then
    return;
  end if;
  if to_regprocedure('auth.jwt()') is null then
    create function auth.jwt() returns jsonb
    language sql stable set search_path = ''
    return nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  end if;
  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid
    language sql stable set search_path = ''
    return (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
  end if;
end
$$;

-- The tenant a request's claims name: app_metadata.tenant_id, else the user's own id.
-- Null when there are no claims or what they name is no UUID: then no row is visible.
create function public.current_tenant_id() returns uuid
language sql stable security invoker
set search_path = ''
as $$
  select case
    when named.tenant ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    then named.tenant::uuid
  end
  from (
    select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims
  ) as request
  cross join lateral (
    select coalesce(
      request.claims #>> '{app_metadata,tenant_id}',
      request.claims ->> 'sub'
    ) as tenant
  ) as named
$$;

revoke all on function public.current_tenant_id() from public, anon;
grant execute on function public.current_tenant_id() to authenticated, service_role;
grant usage on schema public to authenticated, service_role;
