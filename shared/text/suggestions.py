"""Several suggestions in one stream: taken apart while they arrive, and cleaned when they are whole.

The protocol asked of a model is a line `<<<NEXT>>>` between two suggestions. What models do instead is
understood too: labels ("Suggestion 2:"), numbers, an introduction, a Markdown fence or quotation marks
around a suggestion or around everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from shared.text.cursor import CursorContext
from shared.text.suggestion_end import finished
from shared.text.suggestion_start import HeadTrimmer

__all__ = ["SEPARATOR", "HeadTrimmer", "SuggestionSplitter", "clean_suggestion"]

SEPARATOR = "<<<NEXT>>>"

_HEAD_LIMIT = 100  # characters in which a line shows whether it is an introduction or a fence
_MARKS = " \t#*_>("  # what may stand before a label or an introduction
_MARKS_LIMIT = 20
_LABEL_LIMIT = 50  # characters in which it shows whether it is a label
_QUOTED_LIMIT = 2000  # characters; no suggestion in quotation marks is longer
_WRAPPERS = frozenset(("markdown", "md", "mdx"))  # languages of a fence around prose
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“"}
_SEPARATOR = re.compile(r"[ \t]*" + re.escape(SEPARATOR), re.IGNORECASE)
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^`\n]*)")
_SURE_WORDS = ("suggestion", "alternative", "continuation", "completion")
_WORDS = (*_SURE_WORDS, "option", "version", "variant")
_LABEL = re.compile(
    rf"[ \t>]*(?:#{{1,6}}[ \t]*)?[*_]{{0,3}}(?P<word>{'|'.join(_WORDS)})[ \t]*(?:#|no\.?)?[ \t]*"
    r"(?:(?P<number>\d{1,2})|(?P<letter>[a-e])\b)?[ \t]*(?:[:.)–—-][*_]{0,3}|[*_]{1,3}[:.)]?|\r?$)[ \t]*",
    re.IGNORECASE | re.ASCII,
)
_OPENINGS = ("sure", "certainly", "of course", "absolutely", "okay", "here", "below", "these")
_INTRODUCTION = re.compile(
    r"(?:(?:sure|certainly|of course|absolutely|okay)(?: thing)?[!.,:]?(?:[ \t]+(?:here|below)\b[^\n]*)?"
    r"|(?:here(?:['’]s| is| are)|below (?:is|are)|these are)\b[^\n]*?"
    rf"\b(?:{'|'.join(_WORDS)}|possibilit|possible|ways?)[^\n]*:[*_]{{0,3}})[ \t\r]*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[ \t]{0,3}[*_]{0,2}\(?(?P<number>\d{1,2})[.)][*_]{0,2}[ \t]{1,8}", re.ASCII)
_NUMBER_LINE = re.compile(rf"^{_NUMBER.pattern}", re.MULTILINE | re.ASCII)
_MAYBE_NUMBER = re.compile(r"[\d(*_. \t)]{1,24}", re.ASCII)


def clean_suggestion(text: str, cursor: CursorContext) -> str:
    """One whole suggestion as it is put in at the cursor; "" when nothing new is left of it.

    It does not repeat the text before or after the cursor, keeps the Markdown block of the cursor, closes
    what it opens, and begins with white space only where the text before it needs that. Its start is what
    HeadTrimmer makes of the text.
    """
    trimmer = HeadTrimmer(cursor)
    return finished(trimmer.feed(text) + trimmer.finish(), cursor)


@dataclass(slots=True)
class _Item:
    """One suggestion on its way: gives text on once it cannot be white space or quotes at its end."""

    quotes: bool  # whether quotation marks around the whole are to be taken off
    keep_breaks: bool  # whether line breaks at the start belong to the suggestion
    held: str = ""
    closing: str | None = None  # the quotation mark that may close the whole; "" when none may
    texts: list[str] = field(default_factory=list)

    @property
    def started(self) -> bool:
        return bool(self.texts or self.held.strip())

    def release(self, text: str, *, final: bool = False) -> str:
        self.held += text
        if not self.held.strip() or not self._is_clear(final=final):
            return ""
        stable = self.held.rstrip()
        self.held = self.held[len(stable) :]
        self.texts.append(stable)
        return stable

    def _is_clear(self, *, final: bool) -> bool:
        """Whether it is known if quotation marks go round everything; takes them off if so."""
        if self.closing is None:
            self.closing = _QUOTES.get(self.held.lstrip()[0], "") if self.quotes else ""
            if not self.keep_breaks:
                self.held = re.sub(r"\A(?:[ \t\r]*\n)+", "", self.held)
        if not self.closing:
            return True
        body = self.held.strip()
        end = body.find(self.closing, 1, _QUOTED_LIMIT)
        if final and end == len(body) - 1 and body[1:-1].strip():
            self.held = body[1:-1]
        elif not final and (end == len(body) - 1 or (end < 0 and len(body) <= _QUOTED_LIMIT)):
            return False
        self.closing = ""
        return True


class SuggestionSplitter:
    """Fed the pieces of a model's answer, gives (index, text) as soon as each text is certain.

    The texts of one index, put together, are that suggestion, without white space at its end. Indexes go
    from 0 without gaps: empty suggestions are skipped, those beyond `count` dropped. How the answer was cut
    into pieces changes when texts come, not what they are. An answer that begins with "1." is held back
    until it is known whether that is a list or numbers of suggestions. The cursor's place helps to tell
    content from wrapping: in a numbered list numbers are content, in a code block a fence is wrapping.
    """

    def __init__(self, count: int, cursor: CursorContext | None = None) -> None:
        self._count = count
        self._code = cursor is not None and cursor.in_code
        self._may_be_numbered = count > 1 and not self._code and not (cursor is not None and cursor.ordered)
        self._numbered: str | None = None  # an answer that began with "1.", held back
        self._strips_numbers = False
        self._buffer = ""
        self._at_line_start = True
        self._dropping = False  # the rest of the line
        self._done: list[str] = []
        self._item = _Item(not self._code, keep_breaks=True)
        self._label = 0  # the number of the last label
        self._wrapper = ""  # the marks of a fence around suggestions
        self._fence = ""  # the marks of a fence inside a suggestion
        self._after_wrapper = False  # until the next suggestion begins
        self._deltas: list[tuple[int, str]] = []

    @property
    def texts(self) -> tuple[str, ...]:
        """The suggestions that are whole; all of them after `finish`."""
        return tuple(self._done[: self._count])

    def feed(self, piece: str) -> list[tuple[int, str]]:
        self._buffer += piece
        self._read(final=False)
        return self._taken()

    def finish(self) -> list[tuple[int, str]]:
        self._read(final=True)
        if self._numbered is not None:
            self._buffer = SEPARATOR.join(_numbered_parts(self._numbered))
            self._release_numbered()
            self._read(final=True)
        self._end_item()
        return self._taken()

    def _taken(self) -> list[tuple[int, str]]:
        deltas, self._deltas = self._deltas, []
        return deltas

    # --- what goes out ----------------------------------------------------------------------------

    def _emit(self, text: str) -> None:
        if text and not self._dropping:
            self._deliver(self._item.release(text))

    def _deliver(self, text: str) -> None:
        if text and len(self._done) < self._count:
            self._deltas.append((len(self._done), text))

    def _end_item(self) -> None:
        self._deliver(self._item.release("", final=True))
        if text := "".join(self._item.texts):
            self._done.append(text)
        self._item = _Item(not self._code, keep_breaks=False)
        self._fence, self._after_wrapper, self._dropping = "", False, False

    # --- reading ----------------------------------------------------------------------------------

    def _read(self, *, final: bool) -> None:
        advances = True
        while self._buffer and advances:
            if self._numbered is not None:
                advances = self._read_numbered()
            elif self._at_line_start:
                advances = self._read_line_start(final=final)
            else:
                advances = self._read_rest(final=final)

    def _read_rest(self, *, final: bool) -> bool:
        """Text up to the end of the line or a separator; False when more must come first."""
        newline = self._buffer.find("\n") + 1
        line = self._buffer[:newline] if newline else self._buffer
        if found := _SEPARATOR.search(line):
            self._emit(line[: found.start()])
            self._separate(found.end())
            return True
        end = len(line) if final or newline else len(line) - _separator_prefix(line)
        self._emit(line[:end])
        self._buffer = self._buffer[end:]
        self._at_line_start = bool(newline)
        self._dropping = self._dropping and not newline
        return bool(newline)

    def _separate(self, consumed: int) -> None:
        self._buffer = self._buffer[consumed:]
        self._at_line_start = True
        self._end_item()

    def _read_line_start(self, *, final: bool) -> bool:
        """Decides what the line is; False when more of it must come first."""
        line, newline, _ = self._buffer.partition("\n")
        whole = bool(newline) or final
        body = line.lstrip(" \t")
        if found := _SEPARATOR.match(line):
            self._separate(found.end())
            return True
        if not whole and (not body or SEPARATOR.startswith(body.upper())):
            return False
        if body.startswith(("```", "~~~")) or body in ("`", "``", "~", "~~"):
            return self._read_marks(line, whole=whole)
        if not self._fence or self._after_wrapper:
            return self._read_head(line, whole=whole)
        self._at_line_start = False
        return True

    def _read_marks(self, line: str, *, whole: bool) -> bool:
        found = _FENCE.fullmatch(line[:_HEAD_LIMIT])
        if not whole and len(line) < _HEAD_LIMIT and (found or not line.strip(" \t`~")):
            return False
        self._at_line_start = False
        self._dropping = found is not None and self._takes_marks(found[1], found[2].strip().lower())
        return True

    def _takes_marks(self, marks: str, language: str) -> bool:
        """Follows the fences; True when the line belongs to a wrapper and not to a suggestion."""
        if self._after_wrapper and language:
            self._end_item()
        if self._after_wrapper:
            return True
        if not self._item.started and not self._fence and (language in _WRAPPERS or self._code):
            self._wrapper = marks
            return True
        closes = not language and marks.startswith(self._fence or self._wrapper)
        if self._fence:
            self._fence = "" if closes else self._fence
        elif self._wrapper and closes:
            self._wrapper, self._after_wrapper = "", True
            return True
        else:
            self._fence = marks
        return False

    def _read_head(self, line: str, *, whole: bool) -> bool:
        """A line outside fences: a label, an introduction, a first number, or text."""
        if not whole and self._may_be_head(line):
            return False
        if self._takes_label(line[:_LABEL_LIMIT]) or self._takes_number(line):
            return True
        self._at_line_start = False
        self._dropping = self._after_wrapper or self._is_introduction(line)
        return True

    def _may_be_head(self, line: str) -> bool:
        """Whether more text could make this start of a line a label, an introduction or a number."""
        bare = line.lstrip(_MARKS).lower()
        if any(word.startswith(bare[: len(word)]) for word in _WORDS):
            return len(line) < _LABEL_LIMIT
        if self._item.started or len(line) >= _HEAD_LIMIT:
            return False
        starts = any(word.startswith(bare[: len(word)]) for word in _OPENINGS)
        return starts or _MAYBE_NUMBER.fullmatch(line) is not None

    def _takes_label(self, head: str) -> bool:
        """A label begins a suggestion if its number is the one that comes next."""
        found = _LABEL.match(head)
        if found is None:
            return False
        number = _label_number(found)
        after = len(self._done) + 1
        if self._item.started:
            if self._count == 1 or number not in {after + 1, self._label + 1} - {0, 1}:
                return False
            self._end_item()
        elif number not in (after, self._label + 1) and (number or found["word"].lower() not in _SURE_WORDS):
            return False
        self._after_wrapper = False
        self._label = number or after
        self._item.keep_breaks = False
        self._buffer = self._buffer[found.end() :]
        return True

    def _is_introduction(self, line: str) -> bool:
        if self._done or self._item.started or len(line) >= _HEAD_LIMIT:
            return False
        marks = len(line) - len(line.lstrip(_MARKS))
        found = marks < _MARKS_LIMIT and _INTRODUCTION.fullmatch(line.strip(" \t*_")) is not None
        self._item.keep_breaks = self._item.keep_breaks and not found
        return found

    # --- answers that number their suggestions ----------------------------------------------------

    def _takes_number(self, line: str) -> bool:
        found = None if self._item.started else _NUMBER.match(line)
        if found is None or int(found["number"]) != len(self._done) + 1:
            return False
        if self._strips_numbers:
            self._buffer = self._buffer[found.end() :]
            self._at_line_start = False
            return True
        if not self._may_be_numbered or self._label or self._wrapper:
            return False
        self._numbered = ""
        return True

    def _read_numbered(self) -> bool:
        """Holds everything back until a separator shows that the numbers do not separate."""
        before = len(self._numbered or "")
        held = (self._numbered or "") + self._buffer
        found = _SEPARATOR.search(held, max(0, before - len(SEPARATOR)))
        if found is None:
            self._numbered, self._buffer = held, ""
            return False
        end = found.end() - len(SEPARATOR)
        parts = _numbered_parts(held[:end])
        self._strips_numbers = len(parts) == 1
        first = parts[0] if self._strips_numbers else held[:end]
        self._buffer = first + held[end:]
        self._release_numbered()
        return True

    def _release_numbered(self) -> None:
        self._numbered = None
        self._may_be_numbered = False
        self._item.keep_breaks = False


def _label_number(found: re.Match[str]) -> int:
    """1 for "1" and "A"; 0 for a label without a number."""
    if found["letter"]:
        return ord(found["letter"].lower()) - ord("a") + 1
    return int(found["number"] or 0)


def _numbered_parts(text: str) -> list[str]:
    """The texts after the line starts "1.", "2.", …, in this order; none for a text without."""
    starts: list[re.Match[str]] = []
    for found in _NUMBER_LINE.finditer(text):
        if int(found["number"]) == len(starts) + 1:
            starts.append(found)
    ends = [*(found.start() for found in starts[1:]), len(text)]
    return [_outdented(text[found.end() : end]) for found, end in zip(starts, ends, strict=False)]


def _outdented(text: str) -> str:
    """The lines after the first without the indent that they all have below a list's number."""
    first, *rest = text.split("\n")
    widths = [len(line) - len(line.lstrip(" ")) for line in rest if line.strip()]
    width = min(widths, default=0)
    return "\n".join([first, *(line[width:] for line in rest)])


def _separator_prefix(line: str) -> int:
    """How many characters at the end of `line` may be the beginning of a separator."""
    for length in range(min(len(SEPARATOR) - 1, len(line)), 0, -1):
        if SEPARATOR.startswith(line[-length:].upper()):
            return length
    return 0
