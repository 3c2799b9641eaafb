"""Where a suggestion begins: what repeats the text before the cursor goes, needed white space comes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.text.cursor import CursorContext

WINDOW = 1200  # characters before the cursor in which a repetition is looked for
_HELD_LIMIT = 1500  # characters after which a start is no longer compared
_WORD_LIMIT = 40  # characters; no longer start is needed to choose the white space
_MARKER_LIMIT = 24  # characters; no list marker with its check box and spaces is longer
_CODE_REPEAT = 8  # letters and digits; shorter lines of code repeat with good reason
_SENTENCE_WORDS = 4  # a sentence this long does not stand twice by chance

_STRAIGHT = str.maketrans("‘’‚“”„«»\u00a0", '\'\'\'""""" ')
_BLOCK_START = re.compile(r"#{1,6}[ \t]|(?P<item>[-*+]|\d{1,9}[.)])[ \t]|`{3}|~{3}|(?P<row>\|)|>[ \t]")
_ITEM_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]{1,4}(?:\[[ xX]\][ \t]{1,4})?")
_ONLY_MARKS = re.compile(r"[ \t>]*(?:[-*+]|\d{1,9}[.)]|#{1,6}|>)[ \t]*")
_OPENING_MARKS = re.compile(r"[-*+#>|`_~\[(\"'“‘ \t]+|[-*+] \[[ x]\]|\d{1,9}[.)]")
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
_SENTENCE_END = re.compile(r"[.!?:;…。！？：；][\"'”’)\]*_`]*$")
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_LAST_WORD = re.compile(r"\w+$")
_FIRST_WORD = re.compile(r"\w{1,40}")
_WHOLE_WORDS = re.compile(
    r"a|an|and|are|as|at|be|but|by|can|do|for|from|has|have|if|in|into|is|it|its|not|of|on|or|our|so|than|that|"
    r"the|their|then|there|these|they|this|to|was|we|were|what|when|where|which|who|will|with|you|your"
)


class HeadTrimmer:
    """Streams one suggestion with its start put right: fed pieces, gives what is certain.

    Holds the start back until it is clear that it does not repeat the text before the cursor. What comes
    out, put together, is the same for every division into pieces.
    """

    def __init__(self, cursor: CursorContext) -> None:
        self._cursor = cursor
        self._before = _Normal.of(cursor.prefix[-WINDOW:].rstrip())
        self._sentences = frozenset() if cursor.in_code else _sentences(self._before.source)
        self._held: str | None = ""

    def feed(self, piece: str) -> str:
        if self._held is None:
            return piece
        self._held += piece
        return self._start(final=False)

    def finish(self) -> str:
        return "" if self._held is None else self._start(final=True)

    def _start(self, *, final: bool) -> str:
        held = self._held or ""
        cut = self._repeated(held, final=final)
        if cut is None or not (final or _shows_start(held[cut:])):
            return ""
        self._held = None
        return _joined(held[cut:], self._cursor, after_cut=cut > 0)

    def _repeated(self, held: str, *, final: bool) -> int | None:
        """How much of the start repeats the text before the cursor; None while that is open."""
        lead = len(held) - len(held.lstrip())
        ended = final or len(held) - lead >= _HELD_LIMIT
        if not ended and (lead == len(held) or held[-1].isspace()):
            return None
        now = _Normal.of(held[lead : lead + _HELD_LIMIT])
        if not now.text or not self._before.text:
            return 0
        overlap = _overlap(now, self._before, self._cursor, ended=ended)
        if overlap is None:
            return None
        length = max(overlap, _repeated_sentence(now.text, self._sentences))
        return lead + _place(now, length) if length else 0


def _shows_start(rest: str) -> bool:
    """Whether the text shows its first word, or its first mark with what tells its kind."""
    body = rest.lstrip()
    if not body or len(body) > _WORD_LIMIT:
        return bool(body)
    if body[0] in "-*+" or body[0].isdigit():
        return len(body) > _MARKER_LIMIT
    word = re.match(r"\w+|\W{1,7}", body)
    return word is not None and word.end() < len(body)


# --- repetition -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Normal:
    """A text with single spaces, straight quotes and lower case; `places` are its characters' indexes."""

    source: str
    text: str
    places: tuple[int, ...]

    @classmethod
    def of(cls, source: str) -> _Normal:
        characters: list[str] = []
        places: list[int] = []
        for index, character in enumerate(source.translate(_STRAIGHT)):
            if character.isspace():
                if characters and characters[-1] == " ":
                    continue
                character = " "
            lower = character.lower()
            characters.append(lower if len(lower) == 1 else character)
            places.append(index)
        return cls(source, "".join(characters), tuple(places))

    def is_border(self, index: int) -> bool:
        """Whether a word or mark begins at an index of `text`."""
        if index == 0 or self.text[index] == " ":
            return index == 0
        return not (_is_word(self.text[index]) and _is_word(self.text[index - 1]))

    def begins_line(self, index: int) -> bool:
        line = self.source[: self.places[index]].rpartition("\n")[2]
        return not line.strip() or bool(_ONLY_MARKS.fullmatch(line))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _place(now: _Normal, length: int) -> int:
    return now.places[length] if length < len(now.places) else len(now.source)


def _overlap(now: _Normal, before: _Normal, cursor: CursorContext, *, ended: bool) -> int | None:
    """The longest start of `now` that is an end of `before`, as far as it may be called a repetition."""
    best = 0
    text, window = now.text, before.text
    first = window.find(text[0])
    while first >= 0:
        length = len(window) - first
        if before.is_border(first):
            if not ended and length >= len(text) and window.startswith(text, first):
                return None
            if (
                length > best
                and text.startswith(window[first:])
                and _is_repetition(first, now, before, cursor)
            ):
                best = length
        first = window.find(text[0], first + 1)
    return best


def _is_repetition(first: int, now: _Normal, before: _Normal, cursor: CursorContext) -> bool:
    overlap = before.text[first:]
    new_line = "\n" in cursor.prefix[len(cursor.prefix.rstrip()) :]
    letters = sum(map(_is_word, overlap))
    if not letters or _OPENING_MARKS.fullmatch(overlap):
        return not new_line and not cursor.in_code and _opens(overlap, cursor)
    if new_line and cursor.in_code:
        return letters >= _CODE_REPEAT
    after = now.source[_place(now, len(overlap)) :]
    if new_line:
        words = len(overlap.split())
        return before.begins_line(first) and (
            words >= 3 or not after.strip(" \t") or after.lstrip(" \t")[0] in "\r\n"
        )
    if _is_word(overlap[-1]) and after and _is_word(after[0]):
        return not cursor.prefix[-1:].isspace() and _is_part_of_word(overlap, before)
    return True


def _opens(overlap: str, cursor: CursorContext) -> bool:
    """Whether marks that stand before the cursor open something, so that they are not written again."""
    if not _OPENING_MARKS.fullmatch(overlap):
        return False
    typed = cursor.line_prefix.rstrip()
    if cursor.block == "table":
        return typed.count("|") <= cursor.columns
    earlier = typed[: len(typed) - len(overlap.rstrip())]
    if overlap.strip()[-1:] in ("*", "_", "`", "~", '"', "'"):
        return not earlier or earlier[-1].isspace() or earlier.count(overlap.strip()) % 2 == 0
    return True


def _is_part_of_word(overlap: str, before: _Normal) -> bool:
    """Whether the word before the cursor is only begun: short words and words seen elsewhere are whole."""
    found = _LAST_WORD.search(overlap)
    word = found.group() if found else ""
    if len(word) < 2 or _WHOLE_WORDS.fullmatch(word):
        return False
    elsewhere = re.search(rf"\b{re.escape(word)}\b", before.text[: len(before.text) - len(word)])
    return elsewhere is None


def _repeated_sentence(text: str, sentences: frozenset[str]) -> int:
    """The length of a whole sentence or line before the cursor that `text` begins with."""
    best = 0
    for sentence in sentences:
        after = text[len(sentence) : len(sentence) + 1]
        if text.startswith(sentence) and not (_is_word(sentence[-1]) and _is_word(after)):
            best = max(best, len(sentence))
    return best


def _sentences(source: str) -> frozenset[str]:
    sentences = (_Normal.of(found.group().strip()).text for found in _SENTENCE.finditer(source))
    return frozenset(sentence for sentence in sentences if len(sentence.split()) >= _SENTENCE_WORDS)


# --- white space ----------------------------------------------------------------------------------


def _joined(rest: str, cursor: CursorContext, *, after_cut: bool) -> str:
    body = rest.lstrip()
    if not body:
        return ""
    space = rest[: len(rest) - len(body)].replace("\r\n", "\n")
    if cursor.in_code:
        return _joined_code(space, body, cursor, after_cut=after_cut)
    if cursor.line_closed:
        return "\n\n" + body
    typed = cursor.line_prefix
    if not typed.strip():
        return _at_line_start(space, body, typed)
    if _ONLY_MARKS.fullmatch(typed):
        return ("" if typed[-1].isspace() else " ") + _without_marker(body, cursor)
    if breaks := _breaks(space, body, cursor):
        return "\n" * breaks + body
    if typed[-1].isspace():
        return body
    if space or (not after_cut and _needs_space(cursor, body)):
        return " " + body
    return body


def _joined_code(space: str, body: str, cursor: CursorContext, *, after_cut: bool) -> str:
    typed = cursor.line_prefix
    if not typed.strip():
        indent = space.rpartition("\n")[2]
        return (indent[len(typed) :] if indent.startswith(typed) else "") + body
    if typed[-1].isspace():
        return ("\n" + space.rpartition("\n")[2] if "\n" in space else "") + body
    glued = not after_cut and _is_word(typed[-1]) and _is_word(body[0]) and _needs_space(cursor, body)
    return (space or (" " if glued else "")) + body


def _at_line_start(space: str, body: str, typed: str) -> str:
    """Spaces before the first line stay only where they indent a list item further."""
    indent = space.rpartition("\n")[2]
    if _ITEM_MARKER.match(body) and indent.startswith(typed) and len(indent) <= 8:
        return indent[len(typed) :] + body
    return body


def _without_marker(body: str, cursor: CursorContext) -> str:
    """The text of a list item whose marker already stands before the cursor."""
    found = _ITEM_MARKER.match(body) if cursor.block == "list" else None
    return body[found.end() :] if found else body


def _breaks(space: str, body: str, cursor: CursorContext) -> int:
    """How many line breaks stand before the text: those it brought, or those its block needs."""
    typed = cursor.line_prefix.rstrip()
    ended = _SENTENCE_END.search(typed) is not None
    start = _BLOCK_START.match(body)
    if cursor.block == "table":
        return 1 if start and start["row"] and typed.count("|") > cursor.columns else 0
    if start and start["item"]:
        if cursor.block == "list":
            return 1 if ended or "\n" in space or not space else 0
        return 2 if ended or "\n" in space else 0
    if start and start["row"]:
        return 2 if ended or "\n" in space else 0
    if start:
        return 2
    if "\n" not in space or (not ended and cursor.block != "heading" and body[0].islower()):
        return 0
    return 2 if cursor.block == "heading" else min(space.count("\n"), 2)


def _needs_space(cursor: CursorContext, body: str) -> bool:
    before, after = cursor.prefix[-1:], body[0]
    if _SPACELESS.match(before) or _SPACELESS.match(after):
        return False
    if _is_word(before) and _is_word(after):
        return not _continues_word(cursor, body)
    if after in ".,;:!?)]}%’”»…/" or before in "([{“‘«/\\-–@#$":
        return False
    if before in "\"'`*_~":
        mark = cursor.prefix[len(cursor.prefix.rstrip(before)) :]
        return cursor.line_prefix.count(mark) % 2 == 0 and (_is_word(after) or after in "([`*")
    if before in ".,":
        return not (after.isdigit() and cursor.prefix[-2:-1].isdigit())
    return _is_word(after) or after in '(["“‘`*_~«—–'


def _continues_word(cursor: CursorContext, body: str) -> bool:
    """Whether the cursor stands inside a word that the text goes on with.

    So it is when letters follow the cursor, or when the document has the joined word and nothing speaks for
    two words. A chat model begins with a whole word otherwise.
    """
    if cursor.suffix[:1] and _is_word(cursor.suffix[0]):
        return True
    last, first = _LAST_WORD.search(cursor.prefix), _FIRST_WORD.match(body)
    if last is None or first is None:
        return False
    around = cursor.prefix[: last.start()] + " " + cursor.suffix
    return re.search(rf"\b{re.escape(last.group() + first.group())}\b", around, re.IGNORECASE) is not None
