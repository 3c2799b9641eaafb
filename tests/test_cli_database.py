"""The commands that work on the embedded database, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.store.connect import open_store
from shared.types import LOCAL_TENANT_ID, Attempt, Outcome, Task, Usage
from tests.cli_process import marginalia


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for the module, in a folder whose name has a space."""
    return tmp_path_factory.mktemp("with space") / "data"


def attempt(provider: str, cost_usd: Decimal | None, outcome: Outcome = Outcome.OK) -> Attempt:
    return Attempt(
        request_id="r",
        tenant_id=LOCAL_TENANT_ID,
        task=Task.QA,
        provider=provider,
        model=f"{provider}-model",
        outcome=outcome,
        usage=Usage(input_tokens=100, output_tokens=20),
        cost_usd=cost_usd,
        started_at=datetime.now(UTC),
        duration_ms=250.0,
        first_token_ms=40.0,
    )


def record(data_dir: Path, *attempts: Attempt) -> None:
    async def write() -> None:
        async with open_store(Settings.from_env({"MARGINALIA_DATA_DIR": str(data_dir)})) as store:
            await store.record_usage(attempts)

    asyncio.run(write())


def test_migrate_names_the_files_it_applied_and_the_second_time_none(data_dir: Path) -> None:
    first = marginalia("migrate", "--json", data_dir=data_dir)
    applied = json.loads(first.stdout)["applied"]
    assert applied == sorted(applied)
    assert applied[0].endswith("_roles_and_tenants.sql")
    second = marginalia("migrate", data_dir=data_dir)
    assert second.stdout.startswith("nothing to apply: embedded, in ")
    assert (first.returncode, second.returncode) == (0, 0)


def test_usage_of_an_empty_ledger_says_so(data_dir: Path) -> None:
    done = marginalia("usage", data_dir=data_dir)
    assert (done.returncode, done.stdout) == (0, "Nothing was asked of a provider in the last 24h.\n")


def test_usage_adds_up_by_provider_and_an_unknown_cost_is_not_free(data_dir: Path) -> None:
    record(
        data_dir,
        attempt("together", Decimal("0.0012")),
        attempt("together", None, Outcome.TIMEOUT),
        attempt("local", None),
    )
    done = marginalia("usage", "--since", "1h", "--group-by", "provider", "--json", data_dir=data_dir)
    report = json.loads(done.stdout)
    assert report["since_seconds"] == 3600
    local, together = report["rows"]
    assert (local["provider"], local["calls"], local["cost_usd"], local["unknown_costs"]) == (
        "local",
        1,
        None,
        1,
    )
    assert (together["calls"], together["failures"], together["input_tokens"]) == (2, 1, 200)
    assert (together["cost_usd"], together["unknown_costs"]) == (0.0012, 1)
    assert together["first_token_ms"]["p50"] == 40.0

    table = marginalia("usage", data_dir=data_dir).stdout
    assert "0.001200 + ?" in table
    assert "together-model" in table


def test_a_database_that_is_away_is_one_line_and_exit_code_1(data_dir: Path) -> None:
    done = marginalia("usage", data_dir=data_dir, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == 1
    assert done.stderr.startswith("marginalia: ")
    assert done.stderr.count("\n") == 1
