from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.ledger import Ledger
from shared.store.postgres import PostgresTransport
from shared.store.store import Store
from shared.types import LOCAL_CALLER, LOCAL_TENANT_ID, Attempt, Outcome, Task, Usage


def attempt(**changes: Any) -> Attempt:
    row = Attempt(
        request_id="r",
        tenant_id=LOCAL_TENANT_ID,
        task=Task.QA,
        provider="p",
        model="m",
        outcome=Outcome.OK,
        usage=Usage(1, 2),
        cost_usd=None,
        started_at=datetime.now(UTC),
        duration_ms=1.0,
        attempt_id=str(uuid4()),
    )
    return replace(row, **changes)


async def calls(store: Store) -> int:
    return (await store.usage(LOCAL_CALLER, since=timedelta(hours=1))).total.calls


async def test_a_row_that_is_refused_does_not_take_the_others_with_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(store, batched=True)
    for row in (attempt(), attempt(code="\0"), attempt(), attempt(tenant_id="nobody"), attempt()):
        ledger.record(row)
    with caplog.at_level(logging.ERROR):
        await ledger.flush()
    assert await calls(store) == 3
    assert caplog.text.count("refused") == 2


async def test_rows_wait_while_the_database_is_away(store: Store) -> None:
    away = Store(PostgresTransport("postgresql://127.0.0.1:1/x", connection_timeout=0.2))
    ledger = Ledger(away, batched=True)
    ledger.record(attempt())
    ledger.record(attempt())
    await ledger.flush()
    await away.close()
    ledger._store = store
    await ledger.flush()
    assert await calls(store) == 2


async def test_a_lone_handler_settles_and_a_server_does_not_wait(store: Store) -> None:
    for batched, written in ((True, 0), (False, 1)):
        ledger = Ledger(store, batched=batched)
        ledger.record(attempt())
        await ledger.settle()
        assert await calls(store) == written
