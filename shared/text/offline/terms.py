"""The words of a text that carry meaning, cut to a common form so that “defining” finds “definition”."""

from __future__ import annotations

import re

from shared.text.offline.known_words import STOP_WORDS

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_VOWEL = re.compile(r"[aeiouy]")


def stem(word: str) -> str:
    """A light English stem of a word in small letters; other languages come out mostly as they went in."""
    if len(word) <= 3 or not word.isascii() or word.isdigit():
        return word
    word = _without_plural(word)
    for suffix, least in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= least:
            rest = word[: -len(suffix)]
            if _VOWEL.search(rest):
                return rest[:-2] if rest.endswith("at") and len(rest) > 6 else _single_end(rest)
    return word


# The longest suffix first, with the letters that must be left.
_SUFFIXES = (
    ("ations", 5),
    ("itions", 5),
    ("ation", 5),
    ("ition", 5),
    ("ement", 5),
    ("ably", 4),
    ("ate", 5),
    ("ies", 3),
    ("ing", 3),
    ("ion", 4),
    ("ed", 3),
    ("ly", 4),
    ("e", 3),
    ("y", 4),
)


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _single_end(word: str) -> str:
    """running, runn, run; but fall and pass keep their double letter, which does no harm."""
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        return word[:-1]
    return word


def words(text: str) -> list[str]:
    """The words in small letters, without possessive endings, in order."""
    return [_bare(word).lower() for word in _WORD.findall(text)]


def _bare(word: str) -> str:
    return word[:-2] if word.endswith(("'s", "’s", "'S", "’S")) else word


def terms(text: str) -> list[str]:
    """The stems of the words that are no stop words, in order; `HashMap` also as hash and map."""
    found: list[str] = []
    for raw in _WORD.findall(text):
        word = _bare(raw)
        lowered = word.lower().replace("’", "'")
        if lowered in STOP_WORDS:
            continue
        found.append(stem(lowered))
        if not (word.islower() or word.istitle() or word.isupper() or not word.isascii()):
            parts = [part.lower() for part in _CAMEL.findall(word)]
            found.extend(stem(part) for part in parts if len(part) > 2 and part not in STOP_WORDS)
    return found
