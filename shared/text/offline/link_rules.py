"""Rules about links inside the document: to headings, to definitions, to footnotes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import unquote

from shared.text.markdown_inline import Link, plain_text
from shared.text.offline.model import Finding, Severity
from shared.text.offline.view import MarkdownView

_EXPLICIT_ID = re.compile(r"""\b(?:id|name)\s*=\s*["']?([^\s"'<>]+)|\{\s?:?\s?#([\w:.-]+)""")
_ASCII_PUNCTUATION = re.compile(r"[^a-z0-9_\- ]")
_ALWAYS_THERE = frozenset(("", "top"))
_FOOTNOTE_USE = re.compile(r"\[\^([^\[\]\s]{1,100})\](?!:)")
_FEW_HEADINGS = 500  # looking for a near heading compares with each of them
_LONGEST_TARGET = 100  # characters
_MOST_ADVICE = 50  # dead links for which a near heading is looked up


def heading_slug(text: str) -> str:
    """The anchor GitHub gives a heading: small letters, punctuation dropped, spaces to hyphens.

    As github-slugger does it: letters, numbers, marks, connectors, hyphens and spaces stay.
    """
    lowered = plain_text(text).lower()
    if lowered.isascii():
        return _ASCII_PUNCTUATION.sub("", lowered).replace(" ", "-")
    kept = (one for one in lowered if one in " -_" or unicodedata.category(one)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


@dataclass(frozen=True, slots=True)
class _Anchors:
    """`slugs` in the order of the headings, a repeated one with -1, -2, …"""

    slugs: tuple[str, ...]
    all: frozenset[str]  # in small letters, with the explicit ids
    by_letters: dict[str, str]  # letters and digits alone to the slug

    def __contains__(self, fragment: str) -> bool:
        return fragment.lower() in self.all


def _anchors(view: MarkdownView) -> _Anchors:
    slugs: list[str] = []
    times: dict[str, int] = {}
    for heading in view.markdown.headings:
        slug = heading_slug(heading.text)
        count = times.get(slug, 0)
        times[slug] = count + 1
        slugs.append(f"{slug}-{count}" if count else slug)
    explicit = {(found[1] or found[2]).lower() for found in _EXPLICIT_ID.finditer(view.content)}
    by_letters = {_letters(slug): slug for slug in reversed(slugs)}
    return _Anchors(tuple(slugs), frozenset(slugs) | explicit, by_letters)


def _letters(fragment: str) -> str:
    return "".join(one for one in fragment.lower() if one.isalnum())


def dead_anchors(view: MarkdownView) -> Iterator[Finding]:
    """Links to `#…` that no heading and no id of the document answers."""
    places = [
        (link.target, link.target_start, link.target_end)
        for link in view.inline.links
        if not link.reference and link.target.startswith("#")
    ]
    for item in view.markdown.definitions:
        if (
            item.target.startswith("#")
            and (start := view.content.find(item.target, item.start, item.end)) >= 0
        ):
            places.append((item.target, start, start + len(item.target)))
    if not places:
        return
    anchors = _anchors(view)
    nearest: dict[str, str | None] = {}
    for target, start, end in places:
        fragment = unquote(target[1:]).removeprefix("user-content-")
        if fragment.lower() in _ALWAYS_THERE or fragment in anchors or fragment.startswith(":~:"):
            continue
        if fragment not in nearest and len(nearest) < _MOST_ADVICE:
            nearest[fragment] = _nearest(fragment, anchors)
        yield _dead_anchor(target, (start, end), _same(fragment, anchors), nearest.get(fragment))


def _dead_anchor(target: str, span: tuple[int, int], same: str | None, near: str | None) -> Finding:
    message = f"No heading of this document has the anchor {target[:_LONGEST_TARGET]}"
    if same:
        return Finding(Severity.ERROR, "dead-link", f"{message}; it is written #{same}.", *span, f"#{same}")
    advice = f"the nearest is #{near}." if near else "correct the link or add the heading."
    return Finding(Severity.ERROR, "dead-link", f"{message}; {advice}", *span)


def _same(fragment: str, anchors: _Anchors) -> str | None:
    """The heading's anchor that differs in case, hyphens or underscores alone."""
    letters = _letters(fragment)
    return anchors.by_letters.get(letters) if letters else None


def _nearest(fragment: str, anchors: _Anchors) -> str | None:
    if len(anchors.slugs) > _FEW_HEADINGS or len(fragment) > _LONGEST_TARGET:
        return None
    return next(iter(get_close_matches(fragment.lower(), anchors.slugs, n=1, cutoff=0.7)), None)


def empty_links(view: MarkdownView) -> Iterator[Finding]:
    for link in view.inline.links:
        if not link.reference and not link.target:
            kind = "image" if link.image else "link"
            yield Finding(
                Severity.WARNING,
                "empty-link",
                f"This {kind} has no target; put an address between the brackets.",
                link.start,
                link.end,
            )


def undefined_references(view: MarkdownView) -> Iterator[Finding]:
    """`[text][label]` without `[label]: …`, and `[^note]` without `[^note]: …`."""
    defined = {item.label for item in view.markdown.definitions}
    for link in view.inline.links:
        if link.reference and link.target not in defined and _is_meant_as_link(view, link):
            yield Finding(
                Severity.ERROR,
                "undefined-reference",
                f"The label [{link.target[:_LONGEST_TARGET]}] is not defined; "
                f"add a line “[{link.target[:_LONGEST_TARGET]}]: address”.",
                link.start,
                link.end,
            )
    for found in _FOOTNOTE_USE.finditer(view.prose):
        if f"^{found[1].casefold()}" not in defined:
            yield Finding(
                Severity.ERROR,
                "undefined-reference",
                f"The footnote {found[0]} has no text; add a line “{found[0]}: …”.",
                found.start(),
                found.end(),
            )


def _is_meant_as_link(view: MarkdownView, link: Link) -> bool:
    """Not an index such as m[i][j], a task box, or a footnote behind brackets."""
    before = view.content[link.start - 1 : link.start]
    text = view.content[link.text_start : link.text_end].strip()
    if (
        not text
        or not link.target
        or link.target.startswith("^")
        or before.isalnum()
        or before in ("]", ")", "_")
    ):
        return False
    return any(one.isalpha() for one in link.target)


def images_without_text(view: MarkdownView) -> Iterator[Finding]:
    for link in view.inline.links:
        if link.image and not view.content[link.text_start : link.text_end].strip():
            yield Finding(
                Severity.HINT,
                "image-text",
                "This image has no alternative text; say what it shows between the square brackets.",
                link.start,
                link.end,
            )


RULES = (dead_anchors, empty_links, undefined_references, images_without_text)
