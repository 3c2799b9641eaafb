"""How a Markdown document can go on at the cursor: its outline, its lists and tables, what is left open.

Each suggestion is text to insert at the cursor exactly. Line ends are \n here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from shared.text.offline.block_suggestions import (
    in_fence,
    in_list,
    in_quote,
    in_table,
    item_below,
    row_below,
    row_is_whole,
)
from shared.text.offline.genre import Section, held_names, normalized_heading
from shared.text.offline.genre_guides import HOW_TO
from shared.text.offline.genre_records import DESIGN
from shared.text.offline.inline_suggestions import closing_marks, cross_reference
from shared.text.offline.link_rules import heading_slug
from shared.text.offline.place import GENERAL_SECTIONS, Place

_HEADING = re.compile(r"[ \t>]*(#{1,6})([ \t]*)(.*)")
_STEPS = re.compile(
    r"\b(?:steps?|as follows|do this|procedure|instructions|in this order|follow)\b[^.]*:\W*\Z", re.I
)
_EXAMPLES = re.compile(r"\b(?:examples?|instance|e\.g\.?|such as)[^.]*:\W*\Z", re.I)
_ENDS_OPEN = re.compile(r":[*_\s]*\Z")
_ENDS_SENTENCE = re.compile(r"[.!?…。！？:;][\"'”’)\]*_`]*\s*\Z")
_LIST_OR_CODE = re.compile(r"\s*(?:[-*+] |\d{1,9}[.)] |`{3}|~{3}|\|)")
_MOST_POINTS = 4


def markdown_suggestions(content: str, index: int) -> Iterator[str]:
    """The best first; possibly none in the middle of a line."""
    if not content.strip():
        yield from (skeleton(*one) for one in _SKELETONS)
        return
    place = Place.at(content, index)
    closers = ""
    if place.context.block in _PROSE_BLOCKS:
        closers = closing_marks(place.before, place.after)
    if closers:
        yield closers
    yield from (closers + text for text in _continuations(place))


_PROSE_BLOCKS = ("paragraph", "list", "quote")


def _continuations(place: Place) -> Iterator[str]:
    block = place.context.block
    if not place.context.line_closed:
        yield from _BY_BLOCK[block](place)
    if block in _PROSE_BLOCKS and not place.at_text_end:
        yield from cross_reference(place, heading_slug)
    elif place.takes_block() and (
        block in ("blank", *_PROSE_BLOCKS) or (block == "table" and row_is_whole(place))
    ):
        yield from _anywhere(place)


_SKELETONS: Sequence[tuple[str, Sequence[Section]]] = (
    (
        "Title",
        (Section("Purpose", "", "", ("What this document is for", "Whom it is for")), *GENERAL_SECTIONS),
    ),
    ("Design: title", DESIGN.sections),
    ("How to reach the goal", HOW_TO.sections),
)


def skeleton(title: str, sections: Sequence[Section]) -> str:
    """A document to start from: its title and its sections, each with what it should say."""
    return "\n\n".join((f"# {title}", *(_section(section, 2, "-") for section in sections))) + "\n"


def _section(section: Section, level: int, bullet: str) -> str:
    points = "\n".join(f"{bullet} {point}" for point in section.outline)
    return f"{'#' * level} {section.title}\n\n{points}"


def _new_sections(place: Place) -> Iterator[str]:
    if place.takes_section():
        for section in place.missing():
            yield place.block(_section(section, place.level, place.bullet()))


def _in_heading(place: Place) -> Iterator[str]:
    found = _HEADING.match(place.line_before)
    if found is None or not place.at_line_end:
        return
    typed = found[3].strip().casefold()
    if not typed:
        for section in place.missing():
            yield ("" if found[2] else " ") + _title_and_outline(place, section.title, section)
        return
    for section in place.missing():
        if section.title.casefold().startswith(typed) and len(section.title) > len(typed):
            yield _title_and_outline(place, section.title[len(found[3].strip()) :], section)
    yield _outline_below(place, found[3].strip())


def _title_and_outline(place: Place, title: str, section: Section) -> str:
    return title + (f"\n\n{place.bullets(section.outline)}" if place.takes_section() else "")


def _outline_below(place: Place, title: str) -> str:
    name = normalized_heading(title)
    known = next((one for one in place.sections if held_names(one.names, name)), None)
    points = known.outline if known else ("What it is, in one sentence", "Why it matters", "An example")
    return place.block(place.bullets(points))


def _in_paragraph(place: Place) -> Iterator[str]:
    if not place.at_text_end or not place.takes_block():
        return
    if _ENDS_OPEN.search(place.line_before):
        yield from _list_after(place)
    elif not _ENDS_SENTENCE.search(place.line_before):
        yield "."
    yield from _outline_and_sections(place)


def _in_blank(place: Place) -> Iterator[str]:
    if not place.at_line_end:
        return
    yield from item_below(place)
    yield from row_below(place)
    if not place.takes_block():
        return
    if _ENDS_OPEN.search(place.before.rstrip()):
        yield from _list_after(place)
    yield from _opening(place)
    yield from _outline_and_sections(place)


def _opening(place: Place) -> Iterator[str]:
    """Directly below the title: what the first lines should say."""
    headings = place.view.markdown.top_headings
    if not headings or headings[0].level != 1 or place.content[headings[0].end : place.index].strip():
        return
    if place.index > headings[0].end and place.takes_section():
        opening = next((one for one in place.sections if one.evidence == "opening"), None)
        yield place.block(place.bullets(opening.outline if opening else _OPENING))


_OPENING = ("What this document is about", "Whom it is for")


def _outline_and_sections(place: Place) -> Iterator[str]:
    points = place.unused_outline()
    if points and place.takes_section():
        yield place.block(place.bullets(points[:_MOST_POINTS]))
    yield from _new_sections(place)


def _list_after(place: Place) -> Iterator[str]:
    """After “for example:” and the like, unless a list or code is there already."""
    if _LIST_OR_CODE.match(place.after.lstrip()):
        return
    line = place.before.rstrip().rpartition("\n")[2]
    if _STEPS.search(line):
        yield place.block("1. First step\n2. Second step\n3. Check the result")
        return
    if _EXAMPLES.search(line):
        yield place.block(place.bullets(("First example", "Second example")))
        yield place.block("```text\nExample\n```")
        return
    yield place.block(place.bullets(place.unused_outline()[:_MOST_POINTS] or ["First point", "Second point"]))


def _in_front_matter(place: Place) -> Iterator[str]:
    if not place.at_line_end:
        return
    lead = "\n" if place.line_before.strip() else ""
    tail = "\n" if not lead and place.line_after == "" and not place.after.startswith("\n") else ""
    for key in ("title", "description", "author", "tags"):
        if not re.search(rf"^{key}\s*:", place.content[:20_000], re.MULTILINE):
            value = place.view.title if key == "title" else None
            quoted = (value or f"The document's {key}").replace('"', "'")
            yield f'{lead}{key}: "{quoted}"{tail}'


def _in_code(place: Place) -> Iterator[str]:
    yield from ()


_BY_BLOCK: Mapping[str, Callable[[Place], Iterator[str]]] = {
    "blank": _in_blank,
    "paragraph": _in_paragraph,
    "heading": _in_heading,
    "list": in_list,
    "table": in_table,
    "quote": in_quote,
    "fence": in_fence,
    "front_matter": _in_front_matter,
    "code": _in_code,
}


def _anywhere(place: Place) -> Iterator[str]:
    """What fits where nothing special does."""
    yield from _new_sections(place)
    yield place.block(f"For example:\n\n{place.bullets(('First example', 'Second example'))}")
    yield place.block("| Item | Description |\n| --- | --- |\n|  |  |")
    yield place.block("> **Note:** What the reader must not miss.")
