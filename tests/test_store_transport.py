"""The seam under the store: what goes through it is JSON, so that Supabase's `rpc` fits as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import numpy

from shared.store.postgres import PostgresTransport
from shared.store.records import Row
from shared.store.store import JsonArgument, Store
from shared.types import Caller
from tests.store_samples import ALICE, MODEL, chunks, index, vector
from tests.test_store_usage import OK


class JsonOnly:
    """Rows as PostgREST gives them, and arguments as it can take them."""

    def __init__(self, transport: PostgresTransport) -> None:
        self._transport = transport

    async def call(self, caller: Caller, function: str, arguments: Mapping[str, object]) -> list[Row]:
        json.dumps({name: plain(value) for name, value in arguments.items()})
        rows = await self._transport.call(caller, function, arguments)
        answer: list[Row] = json.loads(json.dumps(rows, default=rest))
        return answer

    async def close(self) -> None:
        await self._transport.close()


def plain(value: object) -> object:
    if isinstance(value, JsonArgument):
        return value.value
    if isinstance(value, numpy.ndarray):
        return str(value.tolist())
    return [plain(item) for item in value] if isinstance(value, list) else value


def rest(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


async def test_the_store_is_the_same_over_json(database_url: str) -> None:
    direct = Store(PostgresTransport(database_url))
    over_json = Store(JsonOnly(PostgresTransport(database_url)))
    await index(over_json, ALICE, "a", chunks("some text"), {"some text": vector(1, 0)})
    document = (await direct.get_document(ALICE, "a")).document
    await over_json.put_analysis(
        ALICE,
        document_id="a",
        analysis_type="t",
        content_hash=document.content_hash,
        version="1",
        result={"x": 1},
    )
    await over_json.record_usage([OK])
    for store in (direct, over_json):
        stored = await store.get_document(ALICE, "a", analysis_type="t")
        assert (stored.document, stored.analysis) == (document, {"x": 1})
        assert [summary.indexed for summary in await store.list_documents(ALICE)] == [True]
        found = await store.match_document_chunks(
            ALICE, query_text="text", query_embedding=vector(1, 0), query_model=MODEL
        )
        assert [(match.text, match.similarity) for match in found.matches] == [("some text", 1.0)]
        report = await store.usage(ALICE, since=timedelta(days=1), group_by=["day", "task"])
        [row] = report.rows
        assert (row.cost_usd, row.group["task"]) == (OK.cost_usd, "qa")
        assert row.group["day"] == OK.started_at.date().isoformat()
        await store.close()
