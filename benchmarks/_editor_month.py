"""A writer's days at an editor, written from a seed: documents, edits, and what the editor asks meanwhile.

The mix is an assumption, stated here and nowhere else. Days differ by their seed alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

WORK_DAYS = 22  # of a month
DOCUMENTS = 6  # that a writer works on
SECTIONS = 8  # of a document, each of some 200 words

Kind: TypeAlias = Literal[
    "inline", "suggest", "save", "analyse", "analyse twice", "analyse again", "ask", "draw"
]

A_DAY: dict[Kind, int] = {
    "inline": 60,  # continuations at the cursor, as they are typed
    "suggest": 12,  # three suggestions, asked for
    "save": 40,  # each with one paragraph changed, so that it is indexed anew
    "analyse": 4,  # of a text that has changed
    "analyse twice": 1,  # the same, in two windows at once
    "analyse again": 4,  # of a text that has not changed: the panel is opened again
    "ask": 5,
    "draw": 1,
}

_WHO = ("The service", "A client", "The writer", "Each device", "The index", "An operator", "The editor")
_DOES = ("keeps", "sends", "merges", "checks", "stores", "drops", "reads", "repeats", "compares", "signs")
_WHAT = (
    "every change of the last hour",
    "the newest revision of a note",
    "all edits that were made offline",
    "the hash of each paragraph",
    "a list of the passages that moved",
    "what the other side has not seen yet",
    "the comments beside the text",
)
_WHEN = (
    "before anything is shown",
    "once the connection is back",
    "at the end of each session",
    "unless somebody has asked it not to",
    "so that nothing is lost on the way",
    "within a second of the last key",
    "and writes down why",
)
_TOPICS = ("Goals", "Sync", "Storage", "Search", "Security", "Costs", "Operation", "Open questions")


def sentence(chance: random.Random) -> str:
    words = (chance.choice(part) for part in (_WHO, _DOES, _WHAT, _WHEN))
    return f"{' '.join(words)} (case {chance.randrange(10_000)})."


def paragraph(chance: random.Random) -> str:
    return " ".join(sentence(chance) for _ in range(4))


@dataclass
class Text:
    """A document: paragraphs under headings."""

    name: str
    title: str
    sections: list[list[str]] = field(default_factory=list)

    @classmethod
    def written(cls, number: int, chance: random.Random) -> Text:
        sections = [[paragraph(chance) for _ in range(3)] for _ in range(SECTIONS)]
        return cls(f"notes/{number}.md", f"Design note {number}", sections)

    @property
    def content(self) -> str:
        parts = [f"# {self.title}"]
        for topic, paragraphs in zip(_TOPICS, self.sections, strict=True):
            parts += [f"## {topic}", *paragraphs]
        return "\n\n".join(parts) + "\n"

    def edit(self, chance: random.Random) -> None:
        """One paragraph is written anew."""
        section = chance.choice(self.sections)
        section[chance.randrange(len(section))] = paragraph(chance)

    def cursor(self, chance: random.Random) -> dict[str, int]:
        """At the end of some paragraph."""
        lines = self.content.split("\n")
        line = chance.choice([number for number, text in enumerate(lines) if text and text[0] != "#"])
        return {"line": line, "character": len(lines[line])}


@dataclass(frozen=True)
class Event:
    kind: Kind
    text: Text
    cursor: dict[str, int]
    question: str


def day(number: int, texts: list[Text]) -> Iterator[Event]:
    """In a random order; the text of an event is as it stands when the event comes."""
    chance = random.Random(f"day {number}")
    kinds = [kind for kind, times in A_DAY.items() for _ in range(times) if kind != "analyse again"]
    chance.shuffle(kinds)
    today = texts[number % len(texts)]
    again = A_DAY["analyse again"]
    for kind in kinds:
        if kind in ("save", "analyse", "analyse twice"):
            today.edit(chance)
        yield Event(kind, today, today.cursor(chance), f"When does what {sentence(chance)[:-1]} happen?")
        if kind == "analyse" and again:
            again -= 1
            yield Event("analyse again", today, {}, "")
