"""Ids of nodes: readable, stable, and words of no Mermaid grammar.

An id is made from the node's own id (or label) alone, never from its place in the graph, so that a
small change of the graph leaves the other ids, and what hangs on them, as they are.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container, Iterable

MAX_LENGTH = 28

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NOT_WORD = re.compile(r"[^A-Za-z0-9_]+")
_DIRECTION = re.compile("direction", re.IGNORECASE)  # read anywhere in a line, also across its end

# Keywords of the ten grammars (mermaid 11, *.jison), in lower case because most ignore case; names that
# JavaScript objects carry from birth; and the values that the state and gantt grammars keep for themselves.
_WORDS = """
    o x v u end class style default linkstyle interpolate classdef call href click graph flowchart subgraph
    direction tb td bt rl lr br state note scale hide title acctitle accdescr accdescription section
    participant actor create destroy loop rect opt alt else par par_over and critical option break box links
    link properties details over left right of activate deactivate autonumber off as namespace callback
    cssclass classdiagram sequencediagram statediagram erdiagram mindmap timeline gantt pie showdata
    quadrantchart one many to only zero or more optionally pk fk uk done active crit milestone vert after
    until fork join choice root width empty description dateformat axisformat tickinterval includes excludes
    inclusiveenddates topaxis todaymarker weekday weekend date constructor prototype proto tostring valueof
    hasownproperty isprototypeof propertyisenumerable tolocalestring null undefined true false nan
    interface abstract enumeration service
"""
_RESERVED = frozenset(_WORDS.split())


# Of those, what begins a line that does more than draw.
_ACTIVE = "click href call callback link links style linkstyle classdef class cssclass properties details"
ACTIVE_KEYWORDS = frozenset(_ACTIVE.split())


def is_identifier(text: str) -> bool:
    """Whether a text can stand as an id in all ten grammars."""
    return (
        len(text) <= MAX_LENGTH
        and _IDENTIFIER.fullmatch(text) is not None
        and text.lower() not in _RESERVED
        and not _DIRECTION.search(text)
    )


def identifier_from(text: str) -> str:
    """An id that reads like the text; the same text gives the same id, and an id gives itself."""
    if is_identifier(text):
        return text
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = _DIRECTION.sub("dir", _NOT_WORD.sub("_", ascii_text)).strip("_")
    if not slug:
        return "n" + _digest(text)
    if slug[0].isdigit():
        slug = "n" + slug
    if len(slug) > MAX_LENGTH:
        slug = f"{slug[: MAX_LENGTH - 9].rstrip('_')}_{_digest(text)}"
    return slug if slug.lower() not in _RESERVED else slug + "_"


def assign_identifiers(texts: Iterable[str]) -> dict[str, str]:
    """An id for each distinct text. Texts that would get the same id are told apart by a digest of
    their own, so that none depends on which of them comes first."""
    distinct = list(dict.fromkeys(texts))
    wanted = {text: identifier_from(text) for text in distinct}
    counts: dict[str, int] = {}
    for identifier in wanted.values():
        counts[identifier.lower()] = counts.get(identifier.lower(), 0) + 1
    given = {
        text: identifier
        for text, identifier in wanted.items()
        if counts[identifier.lower()] == 1 or identifier == text
    }
    taken = {identifier.lower() for identifier in given.values()}
    for text in distinct:
        if text not in given:
            given[text] = _told_apart(wanted[text], text, taken)
            taken.add(given[text].lower())
    return given


def _told_apart(identifier: str, text: str, taken: Container[str]) -> str:
    """With a digest of the text; of more of it where an id looks like one that was made so."""
    source = text
    while True:
        made = f"{identifier[: MAX_LENGTH - 9].rstrip('_')}_{_digest(source)}"
        if made.lower() not in taken:
            return made
        source += text or "_"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
