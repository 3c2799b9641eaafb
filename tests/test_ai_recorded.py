"""Every recorded answer of every provider, through a real server and the whole client.

What is of a wire we speak comes out exactly; everything else is a failure with a name. Nothing raises
what is not ours.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from shared.ai.failures import from_error, from_response
from shared.settings import VECTOR_DIMENSIONS
from shared.types import Outcome
from tests.recorded import (
    RECORDINGS,
    Answered,
    Record,
    asked_by_a_task,
    embedded,
    passed_through,
    recorded_answer,
    recordings,
    vectors_of,
)
from tests.test_ai_failures import NOW

RECORDS = recordings()
needs_records = pytest.mark.skipif(not RECORDS, reason=f"the recorded answers are not here: {RECORDINGS}")
every_record = pytest.mark.parametrize("record", RECORDS, ids=[record.id for record in RECORDS])

# What a status means where the body says no more.
BY_STATUS = {
    401: {Outcome.AUTH_ERROR},
    402: {Outcome.AUTH_ERROR},
    403: {Outcome.AUTH_ERROR, Outcome.CONTENT_FILTER},
    404: {Outcome.NOT_FOUND},
    408: {Outcome.TIMEOUT},
    409: {Outcome.SERVER_ERROR},
    413: {Outcome.CONTEXT_LENGTH},
    429: {Outcome.RATE_LIMITED},
}
WRONG = {Outcome.BAD_REQUEST, Outcome.NOT_FOUND, Outcome.CONTEXT_LENGTH, Outcome.CONTENT_FILTER}
# A good answer of another API than ours is none here; nor is a stream that breaks off, or an error in one.
NO_ANSWER = {*WRONG, Outcome.PROTOCOL_ERROR, Outcome.CUT, Outcome.SERVER_ERROR, Outcome.RATE_LIMITED}


def meant(record: Record) -> set[Outcome]:
    if record.status == 200:
        return NO_ANSWER
    if record.status >= 500:
        return {Outcome.SERVER_ERROR}
    if b"API_KEY_INVALID" in record.body:  # Google's, with status 400
        return {Outcome.AUTH_ERROR}
    return BY_STATUS.get(record.status, WRONG)


def comparable(answered: Answered) -> Answered:
    """Arguments as the values they are: white space between them is nobody's."""
    calls = tuple((name, _value(arguments)) for name, arguments in answered.tool_calls)
    return replace(answered, tool_calls=calls)


def _value(arguments: Any) -> Any:
    return json.dumps(
        json.loads(arguments or "{}") if isinstance(arguments, str) else arguments, sort_keys=True
    )


@needs_records
@every_record
async def test_a_recorded_answer_passes_the_gateway_as_it_is(record: Record) -> None:
    answered = await passed_through(record)
    expected = recorded_answer(record)
    if expected is None:
        assert_failed(record, answered)
    else:
        assert comparable(answered) == comparable(expected)


@needs_records
@every_record
async def test_a_recorded_answer_is_understood_by_a_task(record: Record) -> None:
    answered = await asked_by_a_task(record)
    expected = recorded_answer(record)
    if expected is None:
        assert_failed(record, answered)
    else:
        assert answered == replace(expected, tool_calls=())


def assert_failed(record: Record, answered: Answered) -> None:
    assert answered.outcome in meant(record)
    if answered.outcome != "content_filtered":  # that is an answer, if not the one that was asked for
        assert answered.finish is None
        assert record.stream or not answered.text


@needs_records
@every_record
async def test_any_recorded_answer_to_an_embedding_is_vectors_or_a_failure_with_a_name(
    record: Record,
) -> None:
    row = await embedded(record)
    widths = {width_of(vector) for vector in vectors_of(record)}
    if widths and max(widths) <= VECTOR_DIMENSIONS:
        usage = json.loads(record.body)["usage"]
        assert (row.outcome, row.usage.input_tokens) == (Outcome.OK, usage["prompt_tokens"])
    else:
        assert row.outcome in meant(record)


def width_of(vector: Any) -> int:
    return len(base64.b64decode(vector)) // 4 if isinstance(vector, str) else len(vector)


@needs_records
def test_there_are_recordings_of_every_provider_that_has_a_row() -> None:
    recorded = {record.row.name for record in RECORDS}
    assert {"together", "openai", "anthropic", "google_ai_studio", "cerebras", "groq"} <= recorded
    assert {"openrouter", "local"} <= recorded


# --- errors that have no recording ---------------------------------------------------------------

SHAPES = RECORDINGS / "error_shapes_from_issues.jsonl"
MEANT: Mapping[tuple[str, int], set[Outcome]] = {
    ("together", 400): {Outcome.NOT_FOUND},
    ("google", 400): {Outcome.BAD_REQUEST},
    ("anthropic", 200): {Outcome.SERVER_ERROR},
    ("openrouter", 200): {Outcome.SERVER_ERROR},
}


def shapes() -> list[Any]:
    lines = SHAPES.read_text(encoding="utf-8").splitlines() if SHAPES.exists() else []
    return [json.loads(line) for line in lines]


@pytest.mark.skipif(not SHAPES.exists(), reason=f"the shapes of errors are not here: {SHAPES}")
@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: f"{shape['provider']}-{shape['status']}")
def test_a_shape_of_error_seen_elsewhere_is_understood(shape: Any) -> None:
    status, body = shape["status"], shape["shape"]
    if status == 200:
        document = json.loads(body.removeprefix("data: ").replace('"id":..,', "").replace("{..}", "{}"))
        failure = from_error(document, status=200)
    else:
        text = body if isinstance(body, str) else json.dumps(body)
        failure = from_response(status, {}, text.encode(), now=NOW)
    usual = {Outcome.RATE_LIMITED} if status == 429 else {Outcome.SERVER_ERROR}
    assert failure.outcome in MEANT.get((shape["provider"], status), usual)
