"""`marginalia check` warns of models that no list has, and says by which list."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli_process import marginalia
from tests.simulator import Reply, Simulator


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def checked(data_dir: Path, *options: str, **variables: str) -> tuple[int, list[Any]]:
    done = marginalia("check", "--json", *options, data_dir=data_dir, **variables)
    return done.returncode, json.loads(done.stdout)["warnings"]


def test_the_models_that_are_asked_by_default_are_all_known(data_dir: Path) -> None:
    assert checked(data_dir, OPENAI_API_KEY="k") == (0, [])


def test_a_misspelt_model_is_named_with_those_near_it_and_changes_no_exit_code(data_dir: Path) -> None:
    code, (warning,) = checked(data_dir, OPENAI_API_KEY="k", OPENAI_QUALITY_MODEL="gpt-4o-mimi")
    assert code == 0
    assert (warning["provider"], warning["model"], warning["source"]) == ("openai", "gpt-4o-mimi", "snapshot")
    assert warning["near"][0] == "gpt-4o-mini"
    assert warning["as_of"].startswith("2026-")


def test_people_are_told_in_a_line(data_dir: Path) -> None:
    done = marginalia("check", data_dir=data_dir, OPENAI_API_KEY="k", OPENAI_QA_MODEL="gpt-4o-mimi")
    assert done.returncode == 0
    assert "Warning:   openai does not list gpt-4o-mimi (the shipped list of 2026-" in done.stdout
    assert "near are gpt-4o-mini" in done.stdout


def test_an_embedding_model_is_looked_up_too(data_dir: Path) -> None:
    _, (warning,) = checked(
        data_dir,
        OPENAI_API_KEY="k",
        AI_EMBEDDING_MODEL="text-embeding-3-small",
        AI_FALLBACK_PROVIDER="openai",
    )
    assert warning["near"][0] == "text-embedding-3-small"


@pytest.mark.parametrize(
    "variables",
    [
        {"AI_QA_PROVIDER": "local", "LOCAL_QA_MODEL": "anything-at-all"},
        {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_QUALITY_MODEL": "mine"},
        {"AI_OFFLINE": "only", "OPENAI_QUALITY_MODEL": "mine"},
    ],
    ids=["local", "another server", "offline"],
)
def test_where_there_is_no_list_nothing_is_said(variables: dict[str, str], data_dir: Path) -> None:
    assert checked(data_dir, OPENAI_API_KEY="k", **variables)[1] == []


async def test_when_it_is_told_to_it_asks_the_providers_themselves(data_dir: Path) -> None:
    async with Simulator() as local, Simulator() as openai:
        local.models = ["llama3.1", "qwen2.5-coder"]
        openai.script(Reply(status=500))
        variables = {
            "AI_QA_PROVIDER": "local",
            "LOCAL_BASE_URL": local.base_url,
            "LOCAL_QA_MODEL": "llama3.2",
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": openai.base_url,
            "OPENAI_QUALITY_MODEL": "unknown-here",
            "AI_EMBEDDING_PROVIDER": "builtin",
        }
        _, warnings = await asyncio.to_thread(checked, data_dir, "--live", **variables)
        assert [(w["provider"], w["model"], w["source"], w["near"]) for w in warnings] == [
            ("local", "llama3.2", "live", ["llama3.1"])
        ]
        assert {request.path for request in [*local.requests, *openai.requests]} == {"/v1/models"}
