"""scripts/catalog_snapshot.py renews the snapshot from the providers' own lists."""

import asyncio
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from shared.ai.catalog import shipped
from shared.providers import PROVIDERS
from tests.simulator import Reply, Simulator

SCRIPT = Path(__file__).parents[1] / "scripts" / "catalog_snapshot.py"
SNAPSHOT = Path(__file__).parents[1] / "shared" / "ai" / "catalog_snapshot.json"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalog_snapshot", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_snapshot_is_written_as_the_script_writes_it(script: ModuleType) -> None:
    text = SNAPSHOT.read_text(encoding="utf-8")
    assert script.written(json.loads(text)) == text


def test_what_the_script_writes_of_a_model_is_what_is_read(script: ModuleType) -> None:
    rows = json.loads(SNAPSHOT.read_text(encoding="utf-8"))["models"]
    for provider, models in rows.items():
        for name, row in models.items():
            assert script.row(shipped(provider).models[name]) == row, name


async def test_rows_are_renewed_dropped_and_added_from_a_live_list(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "snapshot.json"
    copy.write_text(SNAPSHOT.read_text(encoding="utf-8"), encoding="utf-8")
    listed = [{"id": "gpt-4o", "context_length": 7}, {"id": "new"}, {"id": "not-asked-for"}]
    async with Simulator() as openai:
        openai.script(Reply(body=json.dumps({"data": listed}).encode(), content_type="application/json"))
        for row in PROVIDERS.values():
            monkeypatch.delenv(f"{row.variable_prefix}_API_KEY", raising=False)
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
        assert await asyncio.to_thread(script.main, ["--add", "openai/new"], snapshot=copy) == 0
    assert json.loads(copy.read_text(encoding="utf-8"))["sources"][0].endswith(": openai")
    before = json.loads(SNAPSHOT.read_text(encoding="utf-8"))["models"]
    after = json.loads(copy.read_text(encoding="utf-8"))["models"]
    assert set(after["openai"]) == {"gpt-4o", "new"}
    assert after["openai"]["gpt-4o"] == {**before["openai"]["gpt-4o"], "context_length": 7}
    assert after["groq"] == before["groq"]
    assert "openai does not list gpt-4o-mini: dropped" in capsys.readouterr().err


def test_nothing_changes_when_nobody_answers(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "snapshot.json"
    copy.write_text("{}", encoding="utf-8")
    monkeypatch.setenv("AI_OFFLINE", "only")
    assert script.main([], snapshot=copy) == 1
    assert copy.read_text(encoding="utf-8") == "{}"
