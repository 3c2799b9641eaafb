"""Tokens as providers tell them, whatever they call them."""

from __future__ import annotations

from shared.types import Json, JsonObject, Usage


def decode_usage(document: JsonObject) -> Usage | None:
    """Tokens as the provider counted them: in `usage`, or Groq's `x_groq.usage`."""
    found = as_object(document.get("usage")) or as_object(as_object(document.get("x_groq")).get("usage"))
    if not found:
        return None
    if len(found) == 3:  # short, as most are
        asked, said = found.get("prompt_tokens"), found.get("completion_tokens")
        if (
            type(asked) is type(said) is int
            and asked >= 0 <= said
            and found.get("total_tokens") == asked + said
        ):
            return Usage(asked, said)
    given = _count(found, "prompt_tokens", "input_tokens")
    made = _count(found, "completion_tokens", "output_tokens")
    if given is None and made is None:
        return None
    details = as_object(found.get("prompt_tokens_details"))
    told = _count(details, "cached_tokens")
    cached = told or _count(found, "cached_tokens", "prompt_cache_hit_tokens") or 0
    reasoning = _count(as_object(found.get("completion_tokens_details")), "reasoning_tokens") or 0
    # Google and xAI charge for thoughts that `completion_tokens` leaves out: only the total has them.
    apart = (_count(found, "total_tokens") or 0) - (given or 0) - (made or 0)
    thoughts = apart if apart > 0 and reasoning in (0, apart) and cached != apart else 0
    return Usage(
        input_tokens=given or 0,
        output_tokens=(made or 0) + thoughts,
        cached_tokens=cached,
        reasoning_tokens=reasoning or thoughts,
        cache_write_tokens=_count(details, "cache_write_tokens") or 0,
    )


def as_object(value: Json) -> JsonObject:
    """Empty for what is none."""
    return value if isinstance(value, dict) else {}


def _count(found: JsonObject, *names: str) -> int | None:
    for name in names:
        value = found.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
