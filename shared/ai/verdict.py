"""What the caller gets when no provider has answered."""

from __future__ import annotations

from shared.errors import (
    AllProvidersFailed,
    ApiError,
    ContentFiltered,
    ContextLengthExceeded,
    MalformedOutput,
    NotFound,
    ProviderTimeout,
    RateLimited,
)
from shared.types import Outcome


def verdict(
    outcomes: set[Outcome], last: Outcome | None, *, passed_through: bool
) -> tuple[type[ApiError], str]:
    """The error of all attempts together and its message. `last` is the last one's outcome, None for none."""
    if last is Outcome.CONTENT_FILTER:
        return ContentFiltered, "the provider's content filter refused this"
    if Outcome.MALFORMED_OUTPUT in outcomes:
        return MalformedOutput, "no provider gave an answer of the form that was asked for"
    if outcomes == {Outcome.CONTEXT_LENGTH}:
        return ContextLengthExceeded, "the text is longer than the model's context"
    if outcomes == {Outcome.TIMEOUT}:
        return ProviderTimeout, "no provider answered in time"
    if passed_through and outcomes == {Outcome.RATE_LIMITED}:
        return RateLimited, "every provider that may be asked limits its rate"
    if passed_through and outcomes == {Outcome.NOT_FOUND}:
        return NotFound, "the provider has no such model"
    return AllProvidersFailed, "every provider failed"
