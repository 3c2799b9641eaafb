"""Joins what a second provider writes to what the first one had sent: pure, fed with text.

The second provider was asked the same question, or to go on from the text sent (a prefill). What it
writes is held back until it shows which of these it is:

- it starts anew with the same text: what was sent is left out, and the rest follows;
- it repeats the last sentence or sentences of what was sent: likewise;
- it goes on, as it was asked to: everything follows, but for what it was not given of the end;
- it says something else: the caller must drop what was sent.

White space is not compared, because models differ in it even where they agree in every word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# In characters that are not white space.
PREFILL_FROM = 40  # below that a fresh start costs little and cannot be mistaken
_SAME_START = 16  # a text that begins like the one sent for so long has started anew
_REPEATED_WHEN_ASKED_TO_GO_ON = 4
_REPEATED_OTHERWISE = 16
_LOOK_BACK = 4000  # how far back a repeated sentence may begin

_SENTENCE_START = re.compile(r"(?:(?<=[.!?…:;。！？])\s+|\n\s*)(?=\S)")


@dataclass(frozen=True, slots=True)
class Joined:
    """`text` follows what was sent, or replaces it when `reset`."""

    text: str
    reset: bool = False


def squeezed(text: str) -> str:
    """Without any white space."""
    return "".join(text.split())


def prefill_of(sent: str) -> str:
    """What a provider is given to go on from: without white space at its end, which some refuse.

    A line or sentence at the end that has hardly begun ("-", "1.") or stands there before is left out: when
    the provider writes it, nobody could tell whether it repeats it or goes on. "" where too little is left.
    """
    text = sent.rstrip()
    while len(squeezed(text)) >= PREFILL_FROM:
        starts = [match.end() for match in _SENTENCE_START.finditer(text)]
        start = starts[-1] if starts else 0
        last, old = squeezed(text[start:]), squeezed(text)
        if len(last) >= _REPEATED_WHEN_ASKED_TO_GO_ON and old.find(last) == len(old) - len(last):
            return text
        text = text[:start].rstrip()
    return ""


class Seam:
    """`prefill` is what the provider was given of `sent` as the beginning of its answer."""

    def __init__(self, sent: str, *, prefill: str = "") -> None:
        self._sent = sent
        self._old = squeezed(sent)
        self._prefill = prefill
        self._goes_on = bool(prefill)
        self._again = self._old[len(squeezed(prefill)) :] if prefill else ""  # what it must write once more
        self._held = ""
        self._tails = [self._old[start:] for start in _sentence_starts(sent)]

    def feed(self, text: str) -> Joined | None:
        """None while the text must still be held back."""
        self._held += text
        new = squeezed(self._held)
        if not new or self._old.startswith(new):
            return None
        if new.startswith(self._old):
            return self._after(len(self._old))
        if any(tail.startswith(new) for tail in self._tails):
            return None
        return self._settled(new)

    def close(self) -> Joined | None:
        """At the end of the provider's answer. None: it has written nothing to judge by."""
        new = squeezed(self._held)
        if new == self._old:
            return Joined("")
        if not new and self._goes_on:
            return Joined(self._prefill, reset=True) if self._again else Joined("")
        if not new:
            return None
        return self._settled(new)

    def _settled(self, new: str) -> Joined:
        repeated = self._repeated(new)
        if repeated:
            return self._after(repeated)
        if self._goes_on and not self._starts_anew(new):
            if new.startswith(self._again):
                return self._after(len(self._again))
            return Joined(self._prefill + self._held_with_its_space(), reset=True)
        return Joined(self._held, reset=True)

    def _held_with_its_space(self) -> str:
        """As it follows the prefill: where it has no white space of its own, with what was sent there."""
        if self._held[:1].isspace():
            return self._held
        rest = self._sent[len(self._prefill) :]
        return rest[: len(rest) - len(rest.lstrip())] + self._held

    def _starts_anew(self, new: str) -> bool:
        same = self._old[: _common(self._old, new)]
        return len(same) >= _SAME_START and self._old.find(same, 1) < 0

    def _repeated(self, new: str) -> int:
        """How many characters at the start of `new` are the last sentences of what was sent."""
        least = _REPEATED_WHEN_ASKED_TO_GO_ON if self._goes_on else _REPEATED_OTHERWISE
        for tail in self._tails:
            if len(tail) >= least and new.startswith(tail) and self._stands_once(tail):
                return len(tail)
        return 0

    def _stands_once(self, tail: str) -> bool:
        """A text that repeats itself anyway may well go on doing so."""
        return self._old.find(tail) == len(self._old) - len(tail)

    def _after(self, count: int) -> Joined:
        rest = self._held[_index_after(self._held, count) :]
        return Joined(_without_doubled_space(self._sent, rest))


def _sentence_starts(sent: str) -> list[int]:
    """Where sentences and lines begin, longest tail first, counted without white space."""
    offset = max(0, len(sent) - _LOOK_BACK)
    before = len(squeezed(sent[:offset]))
    recent = sent[offset:]
    return [before + len(squeezed(recent[: match.end()])) for match in _SENTENCE_START.finditer(recent)]


def _index_after(text: str, count: int) -> int:
    """The index after `count` characters that are not white space."""
    seen = 0
    for index, character in enumerate(text):
        if seen == count:
            return index
        seen += not character.isspace()
    return len(text)


def _without_doubled_space(sent: str, rest: str) -> str:
    """White space at the end of `sent` is not sent again at the start of `rest`; a line's end is kept."""
    ending = sent[len(sent.rstrip()) :]
    beginning = rest[: len(rest) - len(rest.lstrip())]
    if beginning.startswith(ending):
        return rest[len(ending) :]
    if "\n" in beginning and "\n" not in ending:
        return rest
    return rest.lstrip()


def _common(first: str, second: str) -> int:
    """Length of the common prefix."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
