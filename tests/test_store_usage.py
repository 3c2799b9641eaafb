"""The ledger's rows and totals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from shared.errors import InvalidRequest
from shared.store.records import attempt_row
from shared.store.store import SERVICE_CALLER, JsonArgument, Store, Timing
from shared.types import Attempt, Cause, Outcome, Task, Usage
from tests.store_samples import ALICE, BOB

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
OK = Attempt(
    request_id="r1",
    tenant_id=ALICE.tenant_id,
    task=Task.QA,
    provider="together",
    model="big",
    outcome=Outcome.OK,
    usage=Usage(100, 20, 10, 5),
    cost_usd=Decimal("0.000123456789"),
    started_at=NOW,
    duration_ms=100.0,
    first_token_ms=10.0,
    status=200,
    streamed=True,
)


def like_ok(**changes: Any) -> Attempt:
    """Another attempt, with its own id."""
    return replace(OK, attempt_id=str(uuid4()), **changes)


async def test_an_attempt_that_is_written_twice_is_one_row(store: Store) -> None:
    await store.record_usage([OK])
    await store.record_usage([OK, like_ok()])
    (row,) = (await store.usage(ALICE, since=timedelta(hours=1))).rows
    assert row.calls == 2


async def test_totals_add_up_to_the_last_digit(store: Store) -> None:
    await store.record_usage([OK, like_ok(duration_ms=300.0, first_token_ms=None), like_ok()])
    [row] = (await store.usage(ALICE, since=DAY)).rows
    assert (row.group, row.calls, row.failures) == ({}, 3, 0)
    assert (row.input_tokens, row.output_tokens, row.cached_tokens, row.reasoning_tokens) == (300, 60, 30, 15)
    assert (row.cost_usd, row.unknown_costs) == (Decimal("0.000370370367"), 0)
    assert row.first_token_ms == Timing(10.0, 10.0, 10.0)
    assert row.duration_ms.p50 == 100.0
    assert row.duration_ms.average == pytest.approx(500 / 3)
    assert row.duration_ms.p95 == pytest.approx(280.0)


async def test_an_unknown_cost_is_counted_and_never_taken_for_nothing(store: Store) -> None:
    unknown = like_ok(provider="local", cost_usd=None, first_token_ms=None)
    await store.record_usage([OK, unknown, replace(unknown, attempt_id=str(uuid4()))])
    [row] = (await store.usage(ALICE, since=DAY)).rows
    assert (row.cost_usd, row.unknown_costs) == (OK.cost_usd, 2)
    rows = (await store.usage(ALICE, since=DAY, group_by=["provider"])).rows
    local = next(row for row in rows if row.group == {"provider": "local"})
    assert (local.cost_usd, local.unknown_costs) == (None, 2)
    assert local.first_token_ms == Timing(None, None, None)


async def test_a_cancelled_attempt_is_no_failure(store: Store) -> None:
    await store.record_usage([like_ok(outcome=outcome) for outcome in Outcome])
    [row] = (await store.usage(ALICE, since=DAY)).rows
    assert (row.calls, row.failures) == (len(Outcome), len(Outcome) - 2)


async def test_totals_are_by_the_groups_asked_for(store: Store) -> None:
    await store.record_usage(
        [
            OK,
            like_ok(model="small"),
            like_ok(task=Task.SUGGESTIONS),
            like_ok(task=Task.SUGGESTIONS),
        ]
    )
    rows = (await store.usage(ALICE, since=DAY, group_by=["task", "model"])).rows
    assert [(row.group, row.calls) for row in rows] == [
        ({"task": "qa", "model": "big"}, 1),
        ({"task": "qa", "model": "small"}, 1),
        ({"task": "suggestions", "model": "big"}, 2),
    ]
    [row] = (await store.usage(ALICE, since=DAY, group_by=["day"])).rows
    assert row.group == {"day": NOW.date().isoformat()}


async def test_a_group_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await store.usage(ALICE, since=DAY, group_by=["provider", "tenant_id; drop table ai_usage"])
    assert caught.value.param == "group_by"


async def test_only_the_time_asked_for_counts(store: Store) -> None:
    await store.record_usage([OK, like_ok(started_at=NOW - timedelta(hours=2))])
    [row] = (await store.usage(ALICE, since=timedelta(hours=1))).rows
    assert row.calls == 1
    [row] = (await store.usage(ALICE, since=timedelta(hours=3))).rows
    assert row.calls == 2


async def test_one_batch_may_hold_rows_of_several_tenants(store: Store) -> None:
    await store.record_usage([OK, like_ok(tenant_id=BOB.tenant_id)])
    await store.record_usage([])
    for caller in (ALICE, BOB):
        [row] = (await store.usage(caller, since=DAY)).rows
        assert row.calls == 1


async def test_a_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    with pytest.raises(Exception, match="cannot take"):
        await store.record_usage([OK, like_ok(tenant_id="no uuid")])
    assert (await store.usage(ALICE, since=DAY)).rows == ()


async def test_the_total_is_that_of_all_groups_and_comes_where_nothing_was_asked_too(store: Store) -> None:
    empty = await store.usage(ALICE, since=DAY, group_by=["provider"])
    assert (empty.rows, empty.total.calls, empty.total.input_tokens) == ((), 0, 0)
    assert (empty.total.cost_usd, empty.total.tokens_per_second) == (Decimal(0), None)
    await store.record_usage(
        [OK, like_ok(provider="openai", first_token_ms=30.0), like_ok(provider="openai")]
    )
    report = await store.usage(ALICE, since=DAY, group_by=["provider"])
    assert [row.calls for row in report.rows] == [2, 1]
    assert (report.total.calls, report.total.group, report.total.input_tokens) == (3, {}, 300)
    assert report.total.first_token_ms.p50 == 10.0


async def test_totals_can_be_of_one_provider(store: Store) -> None:
    await store.record_usage([OK, like_ok(provider="openai"), like_ok(provider="openai", model="small")])
    report = await store.usage(ALICE, since=DAY, group_by=["model"], provider="openai")
    assert [row.group for row in report.rows] == [{"model": "big"}, {"model": "small"}]
    assert report.total.calls == 2
    assert (await store.usage(ALICE, since=DAY, provider="groq")).total.calls == 0


async def test_requests_that_fell_back_are_counted_once_however_often_they_did(store: Store) -> None:
    await store.record_usage(
        [
            like_ok(outcome=Outcome.TIMEOUT),
            like_ok(cause=Cause.FALLBACK, outcome=Outcome.TIMEOUT),
            like_ok(cause=Cause.FALLBACK),
            like_ok(request_id="r2", cause=Cause.HEDGE),
            like_ok(request_id="r2", cause=Cause.REPAIR, usage=Usage(1, 1, estimated=True)),
        ]
    )
    total = (await store.usage(ALICE, since=DAY)).total
    assert (total.calls, total.requests, total.fallbacks) == (5, 2, 1)
    assert (total.hedges, total.repairs, total.estimated) == (1, 1, 1)


async def test_time_and_speed_are_those_of_good_answers(store: Store) -> None:
    await store.record_usage([OK, like_ok(duration_ms=1.0, outcome=Outcome.SERVER_ERROR)])
    total = (await store.usage(ALICE, since=DAY)).total
    assert total.duration_ms == Timing(100.0, 100.0, 100.0)
    assert total.tokens_per_second == 200.0


async def test_a_row_has_its_speed_where_it_has_tokens(store: Store, database_url: str) -> None:
    await store.record_usage([OK, like_ok(usage=Usage(5, 0), own_key=True)])
    query = "select tokens_per_second, cause, own_key from ai_usage order by output_tokens"
    with psycopg.connect(database_url) as connection:
        assert connection.execute(query).fetchall() == [(None, "first", True), (200.0, "first", False)]


async def test_a_row_of_an_earlier_version_is_taken(store: Store) -> None:
    """Servers of two versions share the database while one replaces the other."""
    row = {name: value for name, value in attempt_row(OK).items() if name not in ("cause", "own_key")}
    await store._transport.call(SERVICE_CALLER, "record_usage", {"p_rows": JsonArgument([row])})
    assert (await store.usage(ALICE, since=DAY)).total.calls == 1


async def test_a_tenant_may_append_rows_of_its_own(store: Store) -> None:
    await store.record_usage([OK], caller=ALICE)
    assert len((await store.usage(ALICE, since=DAY)).rows) == 1
