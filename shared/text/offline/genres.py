"""Which kind of document this is."""

from __future__ import annotations

from collections.abc import Sequence

from shared.text.offline.genre import Genre, Section, held_names, normalized_heading
from shared.text.offline.genre_guides import API_OPERATION, API_REFERENCE, HOW_TO, README
from shared.text.offline.genre_records import DECISION_RECORD, DESIGN, POSTMORTEM, RUNBOOK

CHANGELOG = Genre(
    "changelog",
    "changelog, change log, release notes, whats new, release history",
    "unreleased, # # #, v# # #",
    (),
)

GENERAL = Genre(
    "document",
    "",
    "",
    (
        Section(
            "Introduction",
            "introduction, overview, summary, about, background, purpose, abstract, what is, context",
            "The first lines should say what the document is about and for whom.",
            ("What this document is about", "Whom it is for"),
            evidence="opening",
        ),
    ),
)

LONG_DOCUMENT_SUMMARY = Section(
    "Summary",
    "summary, conclusion, conclusions, recap, overview, introduction, abstract, key points, key takeaways, "
    "tldr, tl dr, next steps, wrap up, wrapping up, closing, final thoughts, in short, what youll learn",
    "It is long: a reader wants its main points in one place.",
    ("The two or three points to remember", "What to do with them"),
)

# In the order in which a tie is decided: the more special kind first.
GENRES = (
    DECISION_RECORD,
    POSTMORTEM,
    RUNBOOK,
    CHANGELOG,
    API_REFERENCE,
    API_OPERATION,
    README,
    HOW_TO,
    DESIGN,
)

_LEAST_SCORE = 3
_MOST_HEADINGS = 300  # that are read; the kind shows long before


def detect_genre(title: str | None, headings: Sequence[str]) -> Genre:
    """The kind of document its title and headings tell; GENERAL when they tell none."""
    normalized_title = normalized_heading(title or "")
    normalized = [normalized_heading(heading) for heading in headings[:_MOST_HEADINGS]]
    scores = [_score(genre, normalized_title, normalized) for genre in GENRES]
    best = max(scores)
    return GENRES[scores.index(best)] if best >= _LEAST_SCORE else GENERAL


def _score(genre: Genre, title: str, headings: Sequence[str]) -> int:
    hits = {name for heading in headings for name in held_names(genre.heading_names, heading)}
    return 3 * bool(held_names(genre.title_names, title)) + len(hits)
