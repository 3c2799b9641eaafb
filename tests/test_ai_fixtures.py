"""Every shape of answer that providers have, in the project's own words, through the whole client.

`tests/fixtures/providers/expected.json` says what each comes out as. A stream means the same wherever the
network cuts it.
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.frames import AnswerDecoder, Frame
from shared.ai.wires import WIRES
from tests.recorded import Answered, Record, asked_by_a_task, embedded, fixtures, passed_through, recordings

FIXTURES = fixtures()
CHATS = [record for record in FIXTURES if record.kind != "embeddings"]
every_fixture = pytest.mark.parametrize("record", CHATS, ids=[record.id for record in CHATS])


def expected_of(record: Record) -> Answered:
    assert record.expected is not None
    found = dict(record.expected)
    usage, calls = found.pop("usage", None), found.pop("tool_calls", ())
    return Answered(
        usage=None if usage is None else tuple(usage),
        tool_calls=tuple((name, arguments) for name, arguments in calls),
        **found,
    )


def failure_of(answered: Answered) -> tuple[str, str | None, float | None]:
    return answered.outcome, answered.code, answered.retry_after


@every_fixture
async def test_an_answer_passes_the_gateway_as_what_it_is(record: Record) -> None:
    answered, expected = await passed_through(record), expected_of(record)
    if expected.outcome == "ok":
        assert answered == expected
    else:
        assert failure_of(answered) == failure_of(expected)


@every_fixture
async def test_an_answer_is_to_a_task_what_it_is(record: Record) -> None:
    answered, expected = await asked_by_a_task(record), expected_of(record)
    if expected.outcome == "ok":
        assert (answered.text, answered.finish, answered.usage) == (
            expected.text,
            expected.finish,
            expected.usage,
        )
    else:
        assert failure_of(answered) == failure_of(expected)


@pytest.mark.parametrize(
    "record",
    [record for record in FIXTURES if record.kind == "embeddings"],
    ids=lambda record: str(record.id),
)
async def test_an_answer_to_an_embedding_is_what_it_is(record: Record) -> None:
    assert record.expected is not None
    row = await embedded(record)
    assert row.outcome.value == record.expected["outcome"]
    if "input_tokens" in record.expected:
        assert row.usage.input_tokens == record.expected["input_tokens"]


@every_fixture
async def test_no_answer_to_a_chat_is_taken_for_vectors(record: Record) -> None:
    assert (await embedded(record)).outcome.value != "ok"


@pytest.mark.skipif(not recordings(), reason="the recorded answers are not here")
def test_every_provider_and_status_that_was_recorded_has_a_fixture() -> None:
    spoken = {(r.row.name, r.status) for r in recordings() if r.spoken}
    written = {(r.row.name, r.status) for r in FIXTURES}
    assert {name for name, _ in spoken} <= {name for name, _ in written}
    assert {status for _, status in spoken} <= {status for _, status in written}


# --- cut anywhere --------------------------------------------------------------------------------

GOOD = [record for record in FIXTURES if record.status == 200 and record.kind != "embeddings"]


def decoded(record: Record, *chunks: bytes) -> list[Frame]:
    reader = WIRES[record.row.wire].reader
    decoder = AnswerDecoder(streams=True, reader=reader and reader())
    frames = [frame for chunk in chunks for frame in decoder.feed(chunk)]
    return [told(frame) for frame in (*frames, *decoder.close())]


def told(frame: Frame) -> Frame:
    """What it says, without the error's identity."""
    failure = frame.failure and (frame.failure.outcome, frame.failure.code)
    return frame._replace(failure=failure, raw=_without_time(frame.raw))  # type: ignore[arg-type]  # for ==


def _without_time(raw: bytes) -> bytes:
    """A translated answer says when it was made."""
    head, found, tail = raw.partition(b'"created":')
    return head + tail.lstrip(b"0123456789") if found else raw


def without_signs_of_life(frames: list[Frame]) -> list[Frame]:
    """A whole answer that comes in pieces shows only that it is coming."""
    return [frame for frame in frames if frame != Frame(alive=True)]


@given(st.sampled_from(GOOD), st.data())
def test_an_answer_says_the_same_wherever_it_is_cut(record: Record, data: st.DataObject) -> None:
    body = record.body
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in pairwise([0, *cuts, len(body)])]
    assert without_signs_of_life(decoded(record, *pieces)) == without_signs_of_life(decoded(record, body))


@pytest.mark.parametrize("record", GOOD, ids=[record.id for record in GOOD])
def test_an_answer_says_the_same_byte_by_byte(record: Record) -> None:
    single = [record.body[place : place + 1] for place in range(len(record.body))]
    whole = without_signs_of_life(decoded(record, record.body))
    assert without_signs_of_life(decoded(record, *single)) == whole
    halves = ((record.body[:place], record.body[place:]) for place in range(len(record.body)))
    assert all(without_signs_of_life(decoded(record, *cut)) == whole for cut in halves)
