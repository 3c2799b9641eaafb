"""How many tokens a text has, nearly: without a tokenizer's tables, which are tens of megabytes."""

from __future__ import annotations

import re

# Each match is about one token of OpenAI's cl100k_base: a word or a piece of a long one, up to three digits,
# a run of spaces or of line ends, two letters of another alphabet, one character of Chinese or
# Japanese, half an emoji, up to two signs.
_PIECE = re.compile(
    r" ?[A-Za-z]{1,10}|\d{1,3}|[ \t]{2,}|\s*\n\s*|[\u0080-\u2e7f]{1,2}|[^\x00-\u2e7f]| ?[^\s\w]{1,3}|_"
)


def estimate_tokens(text: str) -> int:
    """At least 1 for any text. Measured against cl100k_base in docs/retrieval.md."""
    return max(1, len(_PIECE.findall(text)))
