"""How long a provider's limits last, by the headers it sends with each answer. Pure.

Each limit has a header of what remains and one of when it starts anew, under names of the provider's own:
`x-ratelimit-remaining-requests` and `x-ratelimit-reset-requests` (OpenAI, Groq; Cerebras adds `-day`
or `-minute`), `anthropic-ratelimit-tokens-remaining` and `-reset`, `x-ratelimit-remaining` and
`-reset` (OpenRouter, Together). The time is written as `1m30.5s` or `60ms`, in seconds, as a date
(RFC 3339), or in seconds or milliseconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?")
_SINCE_1970 = 1e9  # a number above that is a moment, and not a span of thirty years
_IN_MILLISECONDS = 1e12


def until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the last of the limits that are used up starts anew; None where no header says it.

    `headers` with names in lower case.
    """
    spent = [name for name, value in headers.items() if _is_spent(name, value)]
    waits = [_seconds(headers.get(name.replace("remaining", "reset"), ""), now) for name in spent]
    return max((wait for wait in waits if wait is not None), default=None)


def _is_spent(name: str, value: str) -> bool:
    return "ratelimit" in name and "remaining" in name and value.strip() in ("0", "0.0")


def _seconds(text: str, now: datetime) -> float | None:
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _from_number(float(text), now)
    if text and (span := _SPAN.fullmatch(text)):
        return sum(float(part) * unit for part, unit in zip(span.groups(), _UNITS, strict=True) if part)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (moment - now).total_seconds()) if moment.tzinfo is not None else None


def _from_number(value: float, now: datetime) -> float:
    if value < _SINCE_1970:
        return value
    moment = value / 1000 if value >= _IN_MILLISECONDS else value
    return max(0.0, moment - now.timestamp())
