"""Which of the sections a reader expects are missing, and where they belong."""

from __future__ import annotations

import re

from shared.text.offline.genre import Genre, Section, held_names
from shared.text.offline.genres import GENERAL, LONG_DOCUMENT_SUMMARY, detect_genre
from shared.text.offline.model import MissingSection
from shared.text.offline.view import MarkdownView

_ORDERED = re.compile(r"\d")
_LONG_DOCUMENT = (1_200, 5)  # words and sections above which a reader wants a summary


def genre_of(view: MarkdownView) -> Genre:
    return detect_genre(view.title, view.heading_names)


def expected_sections(view: MarkdownView, genre: Genre) -> tuple[Section, ...]:
    sections = genre.sections
    if genre is GENERAL and view.words > _LONG_DOCUMENT[0] and len(view.heading_names) > _LONG_DOCUMENT[1]:
        sections += (LONG_DOCUMENT_SUMMARY,)
    return sections


def missing_sections(view: MarkdownView, genre: Genre) -> tuple[MissingSection, ...]:
    """In the order in which they belong, each behind the last expected heading that is there."""
    missing: list[MissingSection] = []
    after = _title_text(view)
    for section in expected_sections(view, genre):
        if section is LONG_DOCUMENT_SUMMARY:
            after = view.heading_names[-1]
        heading = _heading_of(section, view)
        if heading is not None:
            after = heading
        elif not _is_evident(section, view):
            missing.append(MissingSection(section.title, section.reason, after, section.outline))
    return tuple(missing)


def is_there(section: Section, view: MarkdownView) -> bool:
    """Whether the document has the section, under a heading or without one."""
    return _heading_of(section, view) is not None or _is_evident(section, view)


def _title_text(view: MarkdownView) -> str | None:
    headings = view.markdown.top_headings
    return view.heading_names[0] if headings and headings[0].level == 1 else None


def _heading_of(section: Section, view: MarkdownView) -> str | None:
    """The title itself is no section: “Design of X” does not hold the design."""
    names = view.section_names
    # Steps are often many sections: what follows belongs behind the last of them.
    for normalized, name in reversed(names) if section.evidence == "steps" else names:
        if held_names(section.names, normalized):
            return name
    return None


def _is_evident(section: Section, view: MarkdownView) -> bool:
    markdown = view.markdown
    if section.evidence == "opening":
        headings = markdown.top_headings
        start = headings[0].end if headings else 0
        end = headings[1].start if len(headings) > 1 else len(view.content)
        return bool(view.content[start:end].strip())
    if section.evidence == "steps":
        return sum(1 for item in markdown.items if _ORDERED.match(item.marker)) > 1
    return section.evidence == "code" and bool(markdown.fences)
