"""Answers that real providers gave, replayed through a real server and the whole client."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ApiError
from shared.types import Finish, Outcome
from tests.simulator import Reply, Simulator
from tests.simulator.asking import Heard, asking, target

RECORDED = Path(__file__).parents[1].parent / "shared" / "data" / "provider_responses"
COMPATIBLE = ("chat-completions", "openai-compat-chat")

# Answers that end without a finish reason, or in an error event: failures of the provider's.
FAILED_STREAMS = {"groq-chat-completions-200-sse-10"}


def load() -> Sequence[dict[str, Any]]:
    index = RECORDED / "index.jsonl"
    if not index.exists():
        return []
    rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["kind"] in COMPATIBLE]


ROWS = load()
needs_records = pytest.mark.skipif(not ROWS, reason=f"the recorded answers are not here: {RECORDED}")


async def replay(row: dict[str, Any]) -> Heard:
    reply = Reply(
        status=row["status"],
        body=(RECORDED / row["body_file"]).read_bytes(),
        content_type=row["content_type"] or "",
        headers={"retry-after": row["headers"].get("retry-after", "0")},
    )
    async with Simulator() as sim, asking() as asker:
        sim.reply(reply)
        return await asker.stream([target(sim)])


@needs_records
@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
async def test_a_recorded_answer_is_understood(row: dict[str, Any]) -> None:
    heard = await replay(row)
    if row["status"] != 200 or row["id"] in FAILED_STREAMS:
        assert isinstance(heard.error, ApiError)
        assert heard.error.attempts[0].outcome is not Outcome.OK
        return
    assert heard.error is None
    assert isinstance(heard.events[-1], Finish)
    assert heard.text == "".join(contents(row))
    usage = last_usage(row)
    if usage is not None:
        counted = heard.events[-1].usage
        assert counted.input_tokens == usage["prompt_tokens"]
        assert counted.output_tokens == usage["completion_tokens"]
        assert not counted.estimated


def documents(row: dict[str, Any]) -> list[Any]:
    """The JSON documents of a recorded body, read in the plainest way."""
    body = (RECORDED / row["body_file"]).read_text(encoding="utf-8").strip()
    if body.startswith("{"):
        return [json.loads(body)]
    lines = [line.removeprefix("data:").strip() for line in body.splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def contents(row: dict[str, Any]) -> Iterator[str]:
    for document in documents(row):
        for choice in document.get("choices") or []:
            yield (choice.get("delta") or choice.get("message") or {}).get("content") or ""


def last_usage(row: dict[str, Any]) -> Any:
    found = [d.get("usage") or (d.get("x_groq") or {}).get("usage") for d in documents(row)]
    return next((usage for usage in reversed(found) if usage), None)
