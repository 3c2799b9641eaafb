"""Whether and when a provider is asked again: pure functions, with time and chance passed in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from shared.errors import ProviderError
from shared.types import Outcome

FIRST_BACKOFF = 1.0  # seconds
MAX_BACKOFF = 60.0
RETRIES_BEFORE_FALLBACK = 1

# Our own codes for a ProviderError that no provider gave one.
SILENCE = "first_token_timeout"
DEADLINE = "deadline_exceeded"

_PASSING = frozenset(
    {
        Outcome.CONNECT_ERROR,
        Outcome.TIMEOUT,
        Outcome.RATE_LIMITED,
        Outcome.SERVER_ERROR,
        Outcome.CUT,
        Outcome.PROTOCOL_ERROR,
    }
)
_NOT_PASSING_CODES = frozenset({"insufficient_quota", SILENCE, DEADLINE})


class Move(StrEnum):
    AGAIN = "again"  # the same target, after the wait
    NEXT = "next"  # the next target, at once
    STOP = "stop"


@dataclass(slots=True)
class Budget:
    """What one request of a client may spend on providers, in however many questions to them.

    Each question may ask each of its targets once. Asking one again, for whatever reason, is taken from
    `spare`, which all the questions share, as they share the deadline.
    """

    deadline: float  # in the router's clock
    spare: int  # attempts


@dataclass(frozen=True, slots=True)
class Decision:
    move: Move
    wait: float = 0.0  # seconds
    final: bool = False  # a STOP that not even another target could help


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands when an attempt has failed."""

    tries: int  # attempts at this target so far, this one included
    attempts_left: int  # of the request's budget
    targets_left: int  # targets not asked yet
    time_left: float  # seconds to the request's deadline
    max_wait: float  # seconds; above that another target is better than waiting
    output_sent: bool  # the caller has text already


def decide(failure: ProviderError, standing: Standing, *, chance: float) -> Decision:
    """What to do after `failure`. `chance` is from [0, 1): the jitter.

    While another target is left, one is asked again once and then left: the caller waits for an
    answer, not for a provider. One attempt is kept for each target that has not been asked, so that
    retries never use up a fallback. Once text was sent nobody is waited for while another is left.
    """
    if failure.outcome is Outcome.CONTENT_FILTER or standing.attempts_left <= 0 or standing.time_left <= 0:
        return Decision(Move.STOP, final=True)
    elsewhere = Decision(Move.NEXT if standing.targets_left else Move.STOP)
    if not may_pass(failure) or (standing.output_sent and standing.targets_left):
        return elsewhere
    wait = backoff(standing.tries, chance) if failure.retry_after is None else failure.retry_after
    if wait >= standing.time_left:
        return elsewhere
    if standing.targets_left and (
        wait > standing.max_wait
        or standing.tries > RETRIES_BEFORE_FALLBACK
        or standing.attempts_left <= standing.targets_left
    ):
        return elsewhere
    return Decision(Move.AGAIN, wait)


def may_pass(failure: ProviderError) -> bool:
    """Whether the same request to the same provider may succeed a little later."""
    return failure.outcome in _PASSING and failure.code not in _NOT_PASSING_CODES


def backoff(tries: int, chance: float) -> float:
    """Seconds before the next try: exponential with full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return chance * min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(tries - 1, 16))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a provider asks us to wait, or None.

    `retry-after-ms` (OpenAI, Azure), else Retry-After in seconds or as a date (RFC 9110, 10.2.3).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    return seconds if seconds is not None or text is None else _until(text, now)


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _until(text: str, now: datetime) -> float | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())
