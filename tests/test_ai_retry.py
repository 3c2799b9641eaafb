"""Whether a provider is asked again: one table."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.retry import DEADLINE, SILENCE, Decision, Move, Standing, backoff, decide, retry_after
from shared.errors import ProviderError
from shared.types import Outcome

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)

START = Standing(tries=1, attempts_left=3, targets_left=1, time_left=60.0, max_wait=3.0, output_sent=False)
ALONE = {"targets_left": 0}
AGAIN, NEXT, STOP = Move.AGAIN, Move.NEXT, Move.STOP


@pytest.mark.parametrize(
    ("outcome", "error", "standing", "move", "wait"),
    [
        # what may pass is tried again on the same target
        (Outcome.SERVER_ERROR, {}, {}, AGAIN, 0.5),
        (Outcome.RATE_LIMITED, {}, {}, AGAIN, 0.5),
        (Outcome.CONNECT_ERROR, {}, {}, AGAIN, 0.5),
        (Outcome.PROTOCOL_ERROR, {}, {}, AGAIN, 0.5),
        (Outcome.CUT, {}, {}, AGAIN, 0.5),
        (Outcome.TIMEOUT, {"code": "connect_timeout"}, {}, AGAIN, 0.5),
        (Outcome.SERVER_ERROR, {}, {"tries": 3, **ALONE}, AGAIN, 2.0),
        # once, while another target is left
        (Outcome.SERVER_ERROR, {}, {"tries": 2}, NEXT, 0),
        # what will not pass goes to the next target
        (Outcome.AUTH_ERROR, {}, {}, NEXT, 0),
        (Outcome.NOT_FOUND, {}, {}, NEXT, 0),
        (Outcome.BAD_REQUEST, {}, {}, NEXT, 0),
        (Outcome.CONTEXT_LENGTH, {}, {}, NEXT, 0),
        (Outcome.RATE_LIMITED, {"code": "insufficient_quota"}, {}, NEXT, 0),
        (Outcome.TIMEOUT, {"code": SILENCE}, {}, NEXT, 0),
        # and nowhere without one
        (Outcome.AUTH_ERROR, {}, ALONE, STOP, 0),
        (Outcome.TIMEOUT, {"code": SILENCE}, ALONE, STOP, 0),
        (Outcome.SERVER_ERROR, {}, ALONE, AGAIN, 0.5),
        # a content filter's answer is the answer
        (Outcome.CONTENT_FILTER, {}, {}, STOP, 0),
        # what the provider asks for is kept to
        (Outcome.RATE_LIMITED, {"retry_after": 2.0}, {}, AGAIN, 2.0),
        (Outcome.RATE_LIMITED, {"retry_after": 0.0}, {}, AGAIN, 0.0),
        (Outcome.SERVER_ERROR, {"retry_after": 3.0}, {}, AGAIN, 3.0),
        (Outcome.RATE_LIMITED, {"retry_after": 3.1}, {}, NEXT, 0),
        (Outcome.RATE_LIMITED, {"retry_after": 30.0}, ALONE, AGAIN, 30.0),
        (Outcome.RATE_LIMITED, {"retry_after": 60.0}, ALONE, STOP, 0),
        # an own wait that is longer than another target deserves
        (Outcome.SERVER_ERROR, {}, {"tries": 4}, NEXT, 0),
        (Outcome.SERVER_ERROR, {}, {"tries": 4, **ALONE}, AGAIN, 4.0),
        # one attempt is kept for each target not asked yet
        (Outcome.SERVER_ERROR, {}, {"attempts_left": 1}, NEXT, 0),
        (Outcome.SERVER_ERROR, {}, {"attempts_left": 2, "targets_left": 2}, NEXT, 0),
        (Outcome.SERVER_ERROR, {}, {"attempts_left": 1, **ALONE}, AGAIN, 0.5),
        (Outcome.SERVER_ERROR, {}, {"attempts_left": 0}, STOP, 0),
        # the deadline
        (Outcome.TIMEOUT, {"code": DEADLINE}, {"time_left": 0.0}, STOP, 0),
        (Outcome.SERVER_ERROR, {}, {"time_left": 0.4}, NEXT, 0),
        (Outcome.SERVER_ERROR, {}, {"time_left": 0.4, **ALONE}, STOP, 0),
        # once text was sent nobody is waited for, unless nobody else is there
        (Outcome.CUT, {}, {"output_sent": True}, NEXT, 0),
        (Outcome.TIMEOUT, {"code": "idle_timeout"}, {"output_sent": True}, NEXT, 0),
        (Outcome.CUT, {}, {"output_sent": True, **ALONE}, AGAIN, 0.5),
    ],
)
def test_after_a_failure(
    outcome: Outcome, error: dict[str, Any], standing: dict[str, Any], move: Move, wait: float
) -> None:
    decision = decide(ProviderError(outcome, "x", **error), replace(START, **standing), chance=0.5)
    assert (decision.move, decision.wait) == (move, wait)


standings = st.builds(
    Standing,
    tries=st.integers(1, 20),
    attempts_left=st.integers(0, 5),
    targets_left=st.integers(0, 3),
    time_left=st.floats(-1, 100),
    max_wait=st.floats(0, 10),
    output_sent=st.booleans(),
)
errors = st.builds(
    ProviderError,
    st.sampled_from(Outcome),
    st.just("x"),
    code=st.sampled_from([None, SILENCE, DEADLINE, "insufficient_quota"]),
    retry_after=st.none() | st.floats(0, 1000),
)


@given(errors, standings, st.floats(0, 1, exclude_max=True))
def test_no_decision_breaks_a_bound(error: ProviderError, standing: Standing, chance: float) -> None:
    decision: Decision = decide(error, standing, chance=chance)
    if decision.move is Move.AGAIN:
        assert decision.wait < standing.time_left
        assert standing.attempts_left > standing.targets_left
    if decision.move is Move.NEXT:
        assert standing.targets_left > 0
        assert standing.attempts_left > 0


@pytest.mark.parametrize(("tries", "most"), [(1, 1), (2, 2), (3, 4), (7, 60), (100, 60), (10_000, 60)])
def test_backoff_doubles_to_a_minute_with_full_jitter(tries: int, most: float) -> None:
    assert backoff(tries, 0.0) == 0.0
    assert backoff(tries, 0.5) == most / 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Thursday, 99 Foo 2026 99:99:99 GMT"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    ],
)
def test_the_wait_a_provider_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_raises(text: str) -> None:
    retry_after({"retry-after": text, "retry-after-ms": text}, NOW)
