-- The ledger's rows say why an attempt was made, whose key paid for it and how fast it was; totals come
-- with the sum of all groups, also for one provider, in one call.

alter table public.ai_usage
  -- first, retry, fallback, hedge or repair
  add column cause text not null default 'first',
  -- asked with the tenant's own key, so that the tenant pays the provider
  add column own_key boolean not null default false,
  -- output tokens over the whole time the attempt took
  add column tokens_per_second double precision generated always as (
    case when output_tokens > 0 and duration_ms > 0 then output_tokens * 1000 / duration_ms end
  ) stored;

-- p_rows: [{tenant_id, request_id, task, provider, model, outcome, …}], the columns of ai_usage. A tenant
-- may append rows of its own only; service_role, anyone's. A row that is sent twice is recorded once.
create or replace function public.record_usage(p_rows jsonb) returns table (recorded integer)
language sql
set search_path = ''
as $$
  with appended as (
    insert into public.ai_usage (
      tenant_id, usage_id, request_id, task, provider, model, outcome,
      input_tokens, output_tokens, cached_tokens, reasoning_tokens, estimated,
      cost_usd, first_token_ms, duration_ms, status, code, streamed, started_at,
      cause, own_key
    )
    select
      tenant_id, usage_id, request_id, task, provider, model, outcome,
      input_tokens, output_tokens, cached_tokens, reasoning_tokens, estimated,
      cost_usd, first_token_ms, duration_ms, status, code, streamed, started_at,
      -- missing in what a server of an earlier version sends
      coalesce(cause, 'first'), coalesce(own_key, false)
    from jsonb_populate_recordset(null::public.ai_usage, p_rows)
    on conflict (tenant_id, usage_id) do nothing
    returning 1
  )
  select count(*)::integer from appended
$$;

drop function public.usage_summary(double precision, text[]);

-- Totals of the last p_seconds, by any of task, provider, model, outcome and day (UTC), of one provider or
-- all. A column not asked for is null. The row with is_total is that of all rows together and comes
-- always, first. cost_usd sums what is known; unknown_costs counts the rest. Requests are counted by their
-- id. The time and speed are those of good answers: how soon a failure comes says nothing of either.
create function public.usage_summary(
  p_seconds double precision, p_group_by text[] default '{}', p_provider text default null
)
returns table (
  is_total boolean,
  task text,
  provider text,
  model text,
  outcome text,
  day date,
  calls bigint,
  failures bigint,
  requests bigint,
  fallbacks bigint,
  hedges bigint,
  repairs bigint,
  estimated bigint,
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
  duration_ms_p95 double precision,
  tokens_per_second double precision
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
      and (p_provider is null or attempt.provider = p_provider)
  )
  select
    grouping(recent.by_task) = 1,
    recent.by_task,
    recent.by_provider,
    recent.by_model,
    recent.by_outcome,
    recent.by_day,
    count(*),
    count(*) filter (where recent.outcome not in ('ok', 'cancelled')),
    count(distinct recent.request_id),
    count(distinct recent.request_id) filter (where recent.cause = 'fallback'),
    count(*) filter (where recent.cause = 'hedge'),
    count(*) filter (where recent.cause = 'repair'),
    count(*) filter (where recent.estimated),
    coalesce(sum(recent.input_tokens), 0)::bigint,
    coalesce(sum(recent.output_tokens), 0)::bigint,
    coalesce(sum(recent.cached_tokens), 0)::bigint,
    coalesce(sum(recent.reasoning_tokens), 0)::bigint,
    case when count(*) = 0 then 0 else sum(recent.cost_usd) end,
    count(*) filter (where recent.cost_usd is null),
    avg(recent.first_token_ms),
    percentile_cont(0.5) within group (order by recent.first_token_ms),
    percentile_cont(0.95) within group (order by recent.first_token_ms),
    avg(recent.duration_ms) filter (where recent.outcome = 'ok'),
    percentile_cont(0.5) within group (order by recent.duration_ms) filter (where recent.outcome = 'ok'),
    percentile_cont(0.95) within group (order by recent.duration_ms) filter (where recent.outcome = 'ok'),
    (
      sum(recent.output_tokens) filter (where recent.outcome = 'ok' and recent.output_tokens > 0) * 1000
      / nullif(
        sum(recent.duration_ms) filter (where recent.outcome = 'ok' and recent.output_tokens > 0), 0
      )
    )::double precision
  from recent
  group by grouping sets (
    (),
    (recent.by_task, recent.by_provider, recent.by_model, recent.by_outcome, recent.by_day)
  )
  order by 1 desc, 2, 3, 4, 5, 6
$$;

create or replace function public.schema_version() returns table (version text)
language sql immutable parallel safe
set search_path = ''
as $$ select '20261121000600' $$;

revoke all on function public.usage_summary(double precision, text[], text) from public, anon;
grant execute on function public.usage_summary(double precision, text[], text) to authenticated, service_role;
