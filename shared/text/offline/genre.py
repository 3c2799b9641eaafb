"""A kind of document: how it is told from others, and the sections its readers expect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_LONGEST = 200  # characters of a heading; what follows tells nothing about its kind
_SHORT = 5  # words
_APOSTROPHE = re.compile(r"['’]")
_NON_GOALS = re.compile(r"\bnon[ -]goals?\b")
_PATH = re.compile(r"(?<!\w)/\S*")
_DIGITS = re.compile(r"[0-9]+")
_OTHER = re.compile(r"[^\w#]+")


@dataclass(frozen=True, slots=True)
class Section:
    """A section is there when a heading holds one of `names` as whole words, or by its `evidence`:
    text before the second heading, a numbered list, a code fence."""

    title: str
    names: str  # separated by commas, as `normalized_heading` writes them
    reason: str
    outline: tuple[str, ...]
    evidence: Literal["", "opening", "steps", "code"] = ""


@dataclass(frozen=True, slots=True)
class Genre:
    """A name in `title_names` that the title holds counts 3, each of `heading_names` found 1."""

    name: str
    title_names: str
    heading_names: str
    sections: tuple[Section, ...]


def normalized_heading(heading: str) -> str:
    """Small letters, words between single spaces, numbers as #, a path as the word path.

    “Non-goals” becomes one word, so that it is not taken for goals.
    """
    text = _NON_GOALS.sub("nongoals", _APOSTROPHE.sub("", heading[:_LONGEST].lower()))
    text = _DIGITS.sub("#", _PATH.sub(" path ", text))
    return f" {_OTHER.sub(' ', text).strip()} "


def held_names(names: str, heading: str) -> set[str]:
    """Those of the names that a normalised heading holds.

    ^name only at its start; name$ only at the end of a short one: “Payments API”, not “Calling our API”
    at the end of a long sentence.
    """
    return {name for name in names.split(", ") if name and _holds(heading, name)}


def _holds(heading: str, name: str) -> bool:
    if name.startswith("^"):
        return heading.startswith(f" {name[1:]} ")
    if name.endswith("$"):
        return heading.endswith(f" {name[:-1]} ") and len(heading.split()) <= _SHORT
    return f" {name} " in heading
