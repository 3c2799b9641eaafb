"""Findings: ids that stay, fixes that do not get into each other's way, replies of any form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.findings import (
    MAX_FINDINGS,
    Finding,
    ReplyImprovement,
    finding_id,
    improvements_json,
    locate_findings,
    parse_analysis,
)
from shared.text.positions import Utf16Text
from shared.text.rebasing import rebase
from shared.types import Anchor, JsonObject, Position, Quote

WORDS = (
    "harbour",
    "tide",
    "tea",
    "the",
    "a",
    "ship",
    "ships",
    "é😀",
    "TODO",
    "north",
    "wind",
    "\n\n",
    "# Sea\n",
)


def rows(text: str, findings: list[Finding]) -> list[JsonObject]:
    return improvements_json(findings, Utf16Text(text), content_hash="h", document_id=None)


def finding(text: str, quote: str, *, category: str = "style", replacement: str | None = None) -> Finding:
    start = text.index(quote)
    return Finding(2, category, "Mend it.", start, start + len(quote), replacement)


# --- ids -----------------------------------------------------------------------------------------

QUOTE = "the tide turns twice a day"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_an_id_stays_while_the_quote_stands_whatever_is_written_around_it(
    before: str, after: str, elsewhere: str
) -> None:
    alone = finding_id("style", QUOTE, 0, len(QUOTE))
    text = f"{before}{QUOTE}{after}\n{elsewhere}"
    if text.count(QUOTE) == 1:
        start = text.index(QUOTE)
        assert finding_id("style", text, start, start + len(QUOTE)) == alone


def test_equal_quotes_have_ids_of_their_own_that_their_own_surroundings_decide() -> None:
    text = "First TODO here. Then write TODO there. At last a TODO again.\n"
    starts = [index for index in range(len(text)) if text.startswith("TODO", index)]
    ids = [finding_id("style", text, start, start + 4) for start in starts]
    assert len(set(ids)) == 3
    longer = f"A new TODO before.\n\n{text}"
    moved = [finding_id("style", longer, start + 20, start + 24) for start in starts]
    assert moved == ids
    shorter = text.replace("First TODO here. ", "")
    left = [finding_id("style", shorter, start - 17, start - 13) for start in starts[1:]]
    assert left == ids[1:]


def test_places_that_nothing_tells_apart_have_ids_by_their_order() -> None:
    text = "a TODO b\n" * 3
    ids = {finding_id("style", text, start, start + 4) for start in (2, 11, 20)}
    assert len(ids) == 3


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join), st.data())
def test_ids_are_never_shared(text: str, data: st.DataObject) -> None:
    found = data.draw(findings_in(text))
    ids = [row["id"] for row in rows(text, found)]
    assert len(set(ids)) == len(ids)


def test_an_id_is_the_same_whatever_else_was_found() -> None:
    text = "One TODO, two TODO, three TODO."
    every = [Finding(2, "style", "m", start, start + 4) for start in (4, 14, 26)]
    assert [row["id"] for row in rows(text, every)][2] == rows(text, every[2:])[0]["id"]


# --- fixes ---------------------------------------------------------------------------------------


@st.composite
def findings_in(draw: st.DrawFn, text: str) -> list[Finding]:
    spans = draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 30)), max_size=8))
    return [
        Finding(
            draw(st.integers(1, 4)),
            draw(st.sampled_from(["style", "clarity"])),
            "Mend it.",
            start,
            min(len(text), start + length),
            draw(st.none() | st.sampled_from(["", "harbour", "the tide", "é😀", "a TODO"])),
        )
        for start, length in spans
    ]


@dataclass(frozen=True)
class Fix:
    anchor: Anchor
    replacement: str


def fixes(found: list[JsonObject]) -> list[Fix]:
    return [
        Fix(
            Anchor(
                row["anchor"]["content_hash"],
                Position(**row["anchor"]["position"]),
                Quote(**row["anchor"]["quote"]),
            ),
            row["replacement"],
        )
        for row in found
        if row["replacement"] is not None
    ]


def applied(text: str, fix: Fix) -> str:
    units = text.encode("utf-16-le")
    start, end = fix.anchor.position.start * 2, fix.anchor.position.end * 2
    assert units[start:end].decode("utf-16-le") == fix.anchor.quote.exact
    return (units[:start] + fix.replacement.encode("utf-16-le") + units[end:]).decode("utf-16-le")


def at_once(text: str, every: list[Fix]) -> str:
    for fix in sorted(every, key=lambda one: -one.anchor.position.start):
        text = applied(text, fix)
    return text


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join), st.data())
def test_fixes_never_overlap(text: str, data: st.DataObject) -> None:
    positions = [fix.anchor.position for fix in fixes(rows(text, data.draw(findings_in(text))))]
    assert all(one.end <= other.start for one, other in pairwise(positions))


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join), st.data())
def test_fixes_applied_in_any_order_with_rebase_between_never_go_to_a_wrong_place(
    text: str, data: st.DataObject
) -> None:
    """What rebase cannot tell apart any more is stale; what is applied is applied where it belongs."""
    left = data.draw(st.permutations(fixes(rows(text, data.draw(findings_in(text))))))
    original, done = text, []
    starts = {id(fix.anchor.quote): fix.anchor.position.start for fix in left}
    while left:
        fix, *rest = left
        text = applied(text, fix)
        done.append((starts[id(fix.anchor.quote)], fix))
        rebased = rebase([one.anchor for one in rest], Utf16Text(text), content_hash=str(len(left)))
        left = []
        for one, new in zip(rest, rebased, strict=True):
            if new.anchor is not None:
                starts[id(new.anchor.quote)] = starts[id(one.anchor.quote)]
                left.append(Fix(new.anchor, one.replacement))
    expected = original
    for start, fix in sorted(done, key=lambda entry: -entry[0]):
        position = Position(start, start + len(fix.anchor.quote.exact.encode("utf-16-le")) // 2)
        anchor = Anchor("h", position, fix.anchor.quote)
        expected = applied(expected, Fix(anchor, fix.replacement))
    assert text == expected


PROSE = (
    "# Harbour rules\n\nThe harbour master opens the lock at six in the morning. Ships that arrive earlier "
    "wait at the outer buoy and keep their lights on.\n\nEvery captain signs the register. A ship without a "
    "signature leaves with the next tide, and its owner pays the fee twice.\n\n## Wind\n\n"
    "From force eight on nobody leaves. The red flag on the tower says so, "
    "and the radio repeats it every ten minutes 🚩.\n"
)
QUOTES = ("opens the lock at six", "Ships that arrive earlier", "signs the register", "with the next tide")
QUOTES += ("pays the fee twice", "force eight", "The red flag", "every ten minutes 🚩")


@given(st.permutations(range(len(QUOTES))), st.lists(st.text(max_size=40), min_size=8, max_size=8))
def test_in_a_text_that_does_not_repeat_itself_every_fix_is_applied_in_any_order(
    order: list[int], replacements: list[str]
) -> None:
    found = [
        finding(PROSE, quote, replacement=text.replace("\0", ""))
        for quote, text in zip(QUOTES, replacements, strict=True)
    ]
    every = fixes(rows(PROSE, found))
    left = [every[number] for number in order if number < len(every)]
    text = PROSE
    while left:
        fix, *rest = left
        text = applied(text, fix)
        rebased = rebase([one.anchor for one in rest], Utf16Text(text), content_hash=str(len(left)))
        assert all(new.anchor is not None for new in rebased)
        left = [
            Fix(new.anchor, one.replacement)
            for one, new in zip(rest, rebased, strict=True)
            if new.anchor is not None
        ]
    assert text == at_once(PROSE, every)


# --- replies -------------------------------------------------------------------------------------

REPLY = {
    "summary": "A guide.",
    "missing_sections": [],
    "improvements": [{"severity": 2, "category": "clarity", "message": "Say when.", "quote": "at six"}],
    "scores": {"completeness": 60, "clarity": 80, "structure": 70},
}
JSON = json.dumps(REPLY)


@pytest.mark.parametrize(
    "reply",
    [
        JSON,
        f"```json\n{JSON}\n```",
        f"Sure! Here is the review you asked for:\n\n```\n{JSON}\n```\n\nTell me if you need more.",
        f"Here it is: {JSON} I hope {{this}} helps.",
        f"<think>First {{a}} thought.</think>\n{JSON}",
        json.dumps(REPLY, indent=4).replace("\n", "\r\n"),
    ],
    ids=["bare", "fence", "prose and fence", "prose", "thoughts", "CRLF"],
)
def test_fences_and_prose_around_the_object_are_tolerated(reply: str) -> None:
    assert parse_analysis(reply).summary == "A guide."


@given(st.integers(1, len(JSON) - 1), st.booleans())
def test_an_object_that_is_cut_off_is_an_error_and_never_half_a_result(end: int, fenced: bool) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_analysis(f"```json\n{JSON[:end]}\n```" if fenced else JSON[:end])


def test_of_a_reply_without_end_some_findings_are_looked_for_and_the_rest_counted() -> None:
    reply = [ReplyImprovement(message="m", quote="nowhere to be found")] * (MAX_FINDINGS + 7)
    found, dropped = locate_findings(reply, Utf16Text("Some other text."))
    assert (found, dropped) == ([], MAX_FINDINGS + 7)
