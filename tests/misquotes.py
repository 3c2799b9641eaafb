"""Passages of a text quoted as models quote them: not quite, or what stands nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

Span = tuple[int, int]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = re.compile(r"[^\W_]+")
_NOT = re.compile(r"\b(?:not|never|no|cannot|without)\b")
_VERB = re.compile(r"\b(is|are|can|will|must|should|has|have)\b")
_LONGER = re.compile(r"\b[^\W\d_]{5,}\b")


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quotation of text[span]. `place`: where it may be found; None where the text does not say it."""

    quote: str
    span: Span
    place: Span | None
    prefix: str = ""
    suffix: str = ""

    def is_at(self, found: Span) -> bool:
        """Whether what was found is the passage: most of it, and not much more."""
        if self.place is None:
            return False
        shared = min(found[1], self.place[1]) - max(found[0], self.place[0])
        return shared * 2 > max(found[1] - found[0], self.place[1] - self.place[0])


def passage(text: str, chance: Random) -> Span:
    """A random passage of 25 to 200 characters, whole words."""
    while True:
        start = chance.randrange(len(text) - 400)
        first = re.compile(r"\s\S").search(text, start)
        last = re.compile(r"\S(?=\s)").search(text, start + chance.randrange(25, 200))
        if first and last and last.end() - first.end() >= 24:
            return first.end() - 1, last.end()


def stands_in(text: str, quote: str) -> bool:
    """Whether a text holds the quote's words in a row, whatever stands between them."""
    words = [" ".join(_WORD.findall(one)).casefold() for one in (quote, text)]
    return words[0] in words[1]


def _word_for_word(text: str, span: Span, chance: Random) -> Quoted | None:
    quote = text[slice(*span)]
    return Quoted(quote, span, span) if text.count(quote) == 1 else None


def _changed(change: Callable[[str, Random], str]) -> Callable[[str, Span, Random], Quoted | None]:
    """What is found anew after a change that leaves the words what they are."""

    def quoted(text: str, span: Span, chance: Random) -> Quoted | None:
        quote = text[slice(*span)]
        changed = change(quote, chance)
        return Quoted(changed, span, span) if changed != quote and text.count(quote) == 1 else None

    return quoted


def _said_otherwise(change: Callable[[str, Random], str]) -> Callable[[str, Span, Random], Quoted | None]:
    """What the text does not say any more after a change."""

    def quoted(text: str, span: Span, chance: Random) -> Quoted | None:
        changed = change(text[slice(*span)], chance)
        return None if stands_in(text, changed) else Quoted(changed, span, None)

    return quoted


def _spaced(quote: str, chance: Random) -> str:
    return re.sub(r"\s+", lambda _: chance.choice((" ", "\n", "  ", "\u00a0", "\r\n  ")), quote)


def _straightened(quote: str, chance: Random) -> str:
    return quote.translate({ord(old): new for old, new in zip("“”‘’—–'\"", "\"\"''--’“", strict=True)})


def _slips(quote: str, chance: Random) -> str:
    letters = list(quote)
    for _ in range(max(1, len(quote) // 20)):
        place = chance.randrange(len(letters))
        letters[place] = chance.choice(
            (chance.choice(_LETTERS), "", letters[place] + chance.choice(_LETTERS))
        )
    return "".join(letters)


def _other_number(quote: str, chance: Random) -> str:
    return re.sub(r"\d", lambda found: str((int(found[0]) + 3) % 10), quote, count=1)


def _other_negation(quote: str, chance: Random) -> str:
    without = _NOT.sub("", quote, count=1)
    return without if without != quote else _VERB.sub(r"\1 not", quote, count=1)


def _other_word(quote: str, chance: Random) -> str:
    words = list(_LONGER.finditer(quote))
    if not words:
        return quote
    one = chance.choice(words)
    return quote[: one.start()] + chance.choice(("zebra", "marble", "lantern")) + quote[one.end() :]


def _repeated(text: str, span: Span, chance: Random) -> Quoted | None:
    """A few words that stand several times, with what stands around one of them."""
    start, end = span[0], span[0] + 12
    quote, prefix, suffix = text[start:end], text[max(0, start - 32) : start], text[end : end + 32]
    twice = text.count(quote) > 1 and text.count(prefix + quote + suffix) == 1
    return Quoted(quote, (start, end), (start, end), prefix, suffix) if twice else None


def _repeated_alone(text: str, span: Span, chance: Random) -> Quoted | None:
    """A few words that stand several times, and nothing to tell which is meant: none is."""
    found = re.compile(r"\w+\s\w+").match(text, span[0])
    if found is None or found.end() > span[1]:
        return None
    whole = re.findall(rf"(?<!\w){re.escape(found[0])}(?!\w)", text)
    return Quoted(found[0], span, None) if len(whole) > 1 else None


def _of_another_document(text: str, span: Span, chance: Random) -> Quoted | None:
    return Quoted(_slips(text[slice(*span)], chance), span, None)


# What is made of a passage of a text, by the name of the kind; None where that cannot be made of it.
KINDS: Mapping[str, Callable[[str, Span, Random], Quoted | None]] = {
    "word for word": _word_for_word,
    "white space": _changed(_spaced),
    "quotation marks": _changed(_straightened),
    "case": _changed(lambda quote, chance: quote.swapcase()),
    "marks left out": _changed(lambda quote, chance: re.sub(r"[*`]", "", quote)),
    "slips, 1 in 20": _changed(_slips),
    "repeated, surrounded": _repeated,
    "repeated, alone": _repeated_alone,
    "another number": _said_otherwise(_other_number),
    "a not more or less": _said_otherwise(_other_negation),
    "another word": _said_otherwise(_other_word),
    "of another document": _of_another_document,
}
