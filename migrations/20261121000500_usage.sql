-- The ledger: appending attempts, and their totals.

-- p_rows: [{tenant_id, request_id, task, provider, model, outcome, …}], the columns of ai_usage. A tenant
-- may append rows of its own only; service_role, anyone's. A row that is sent twice is recorded once.
create function public.record_usage(p_rows jsonb) returns table (recorded integer)
language sql
set search_path = ''
as $$
  with appended as (
    insert into public.ai_usage (
      tenant_id, usage_id, request_id, task, provider, model, outcome,
      input_tokens, output_tokens, cached_tokens, reasoning_tokens, estimated,
      cost_usd, first_token_ms, duration_ms, status, code, streamed, started_at
    )
    select
      tenant_id, usage_id, request_id, task, provider, model, outcome,
      input_tokens, output_tokens, cached_tokens, reasoning_tokens, estimated,
      cost_usd, first_token_ms, duration_ms, status, code, streamed, started_at
    from jsonb_populate_recordset(null::public.ai_usage, p_rows)
    on conflict (tenant_id, usage_id) do nothing
    returning 1
  )
  select count(*)::integer from appended
$$;

-- Totals of the last p_seconds, by any of task, provider, model, outcome and day (UTC); a column not asked
-- for is null. cost_usd sums what is known; unknown_costs counts the rest.
create function public.usage_summary(p_seconds double precision, p_group_by text[] default '{}')
returns table (
  task text,
  provider text,
  model text,
  outcome text,
  day date,
  calls bigint,
  failures bigint,
  input_tokens bigint,
  output_tokens bigint,
  cached_tokens bigint,
  reasoning_tokens bigint,
  cost_usd numeric,
  unknown_costs bigint,
  first_token_ms_average double precision,
  first_token_ms_p50 double precision,
  first_token_ms_p95 double precision,
  duration_ms_average double precision,
  duration_ms_p50 double precision,
  duration_ms_p95 double precision
)
language sql stable
set search_path = ''
as $$
  with recent as (
    select
      case when 'task' = any (p_group_by) then attempt.task end as by_task,
      case when 'provider' = any (p_group_by) then attempt.provider end as by_provider,
      case when 'model' = any (p_group_by) then attempt.model end as by_model,
      case when 'outcome' = any (p_group_by) then attempt.outcome end as by_outcome,
      case when 'day' = any (p_group_by) then (attempt.started_at at time zone 'UTC')::date end as by_day,
      attempt.*
    from public.ai_usage as attempt
    where attempt.tenant_id = public.current_tenant_id()
      and attempt.started_at >= now() - make_interval(secs => p_seconds)
  )
  select
    recent.by_task,
    recent.by_provider,
    recent.by_model,
    recent.by_outcome,
    recent.by_day,
    count(*),
    count(*) filter (where recent.outcome not in ('ok', 'cancelled')),
    sum(recent.input_tokens)::bigint,
    sum(recent.output_tokens)::bigint,
    sum(recent.cached_tokens)::bigint,
    sum(recent.reasoning_tokens)::bigint,
    sum(recent.cost_usd),
    count(*) filter (where recent.cost_usd is null),
    avg(recent.first_token_ms),
    percentile_cont(0.5) within group (order by recent.first_token_ms),
    percentile_cont(0.95) within group (order by recent.first_token_ms),
    avg(recent.duration_ms),
    percentile_cont(0.5) within group (order by recent.duration_ms),
    percentile_cont(0.95) within group (order by recent.duration_ms)
  from recent
  group by 1, 2, 3, 4, 5
  order by 1, 2, 3, 4, 5
$$;

-- The newest migration, by its version; every later migration replaces this function.
create function public.schema_version() returns table (version text)
language sql immutable parallel safe
set search_path = ''
as $$ select '20261121000500' $$;

revoke all on function public.record_usage(jsonb) from public, anon;
revoke all on function public.usage_summary(double precision, text[]) from public, anon;
revoke all on function public.schema_version() from public, anon;
grant execute on function public.record_usage(jsonb) to authenticated, service_role;
grant execute on function public.usage_summary(double precision, text[]) to authenticated, service_role;
grant execute on function public.schema_version() to authenticated, service_role;
