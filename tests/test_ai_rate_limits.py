"""When a limit that is used up starts anew, in every provider's way to say so."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.failures import from_response
from shared.ai.rate_limits import until_reset

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30.5s"}, 90.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "60ms"}, 0.06),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1d2h"}, 93600.0),
        (
            {"x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "12.25"},
            12.25,
        ),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-01-01T12:00:07Z",
            },
            7.0,
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767268805000"}, 5.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767268805"}, 5.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}, 2.0),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "9",
                "x-ratelimit-reset-tokens": "50s",
            },
            2.0,
        ),
        ({"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "50s"}, None),
        ({"x-ratelimit-remaining-tokens": "0"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2020-01-01T00:00:00Z"}, 0.0),
        ({}, None),
    ],
)
def test_a_limit_that_is_used_up_says_when_it_starts_anew(
    headers: dict[str, str], seconds: float | None
) -> None:
    found = until_reset(headers, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_retry_after_goes_before_the_limits() -> None:
    limits = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}
    assert from_response(429, limits, b"", now=NOW).retry_after == 9.0
    assert from_response(429, {**limits, "retry-after": "2"}, b"", now=NOW).retry_after == 2.0
    assert from_response(500, limits, b"", now=NOW).retry_after is None


@given(st.text(max_size=30))
def test_no_header_raises(text: str) -> None:
    found = until_reset({"x-ratelimit-remaining": "0", "x-ratelimit-reset": text}, NOW)
    assert found is None or found >= 0
