"""Text on its way into Mermaid source: nothing that any of its grammars or renderers would read.

Mermaid turns `#34;` and the like into a placeholder before any grammar sees the text, and into an HTML
character reference once the picture is drawn (`encodeEntities` and `decodeEntities` in its utils.ts), in
every type of diagram. So a character written that way is shown and never read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MAX_LABEL = 200  # characters

# Not shown, or shown as something else than what is written: bidirectional overrides and isolates, zero
# width characters (the joiners stay: emoji and several scripts need them), tags, annotation marks.
_INVISIBLE = re.compile(
    "[\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef\U000e0000-\U000e007f]"
)
# What is encoded: all punctuation of ASCII but a little; underscores that Markdown would take for emphasis;
# the first letter of what a grammar looks for anywhere in a line (direction), and of what begins a link in
# Markdown (www).
_ENCODED = re.compile(
    r"[^A-Za-z0-9_ ,.\-/()'?!+\x80-\U0010ffff]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|(?i:d(?=irection)|w(?=ww))"
)
_PLAIN_COLON = re.compile(r"(?<=[a-z0-9)])(?<!script)(?<!data)#58; (?=[^#])", re.IGNORECASE)
_MARKDOWN_BLOCK = re.compile(r"[-+]|(?P<number>\d{1,9})[.)]")
_FIRST_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\d{4}-\d\d-\d\d")


def clean_text(text: str, limit: int = MAX_LABEL) -> str:
    """One line of visible text: white space folded, controls and invisible characters dropped, and cut
    with an ellipsis at `limit` characters."""
    shown = text if text.isprintable() else "".join(_visible(_INVISIBLE.sub("", text)))
    # What Mermaid's own placeholders are made of: it would take these for one.
    visible = " ".join(shown.replace("ﬂ", "fl").replace("¶ß", "¶ ß").split())
    if len(visible) <= limit:
        return visible
    return visible[: limit - 1].rstrip() + "…"


def escape(text: str) -> str:
    """The text as Mermaid source that shows it, in quotation marks or to the end of a line."""
    block = _MARKDOWN_BLOCK.match(text)
    if block is None:
        return _ENCODED.sub(_encoded, text)
    number = block.group("number") or ""
    return number + _reference(text[len(number)]) + _ENCODED.sub(_encoded, text[block.end() :])


def escape_line(text: str, keywords: frozenset[str]) -> str:
    """As `escape`, for the start of a line: a first word that is a keyword is no longer one."""
    first = _FIRST_WORD.match(text)
    if first is None or (first.group().lower() not in keywords and not first.group()[0].isdigit()):
        return escape(text)
    return _reference(text[0]) + escape(text[1:])


def quoted(text: str) -> str:
    """In quotation marks, where a colon before a space is plain too: it begins no link.

    No colon may stand without a space after it, here and between labels: after the word "style" and such a
    colon, `encodeEntities` takes the last semicolon of the line away, and with it a character.
    """
    return f'"{_PLAIN_COLON.sub(": ", escape(text))}"'


def _encoded(found: re.Match[str]) -> str:
    return _reference(found.group())


def _reference(character: str) -> str:
    return "#quot;" if character == '"' else f"#{ord(character)};"


def _visible(text: str) -> Iterator[str]:
    """Any white space as a space; no controls, lone surrogates and numbers that are no characters."""
    for character in text:
        if character.isspace():
            yield " "
        elif unicodedata.category(character) not in ("Cc", "Cs") and ord(character) & 0xFFFE != 0xFFFE:
            yield character
