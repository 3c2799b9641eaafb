"""The Markdown block and the text around a cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.cursor import CursorContext, cursor_context
from shared.types import DocumentKind


def at(text: str) -> CursorContext:
    """The context at the ‸ of a text."""
    index = text.index("‸")
    return cursor_context(text.replace("‸", ""), index)


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("‸", "blank"),
        ("Text\n‸\nMore", "blank"),
        ("Some te‸xt", "paragraph"),
        ("# Ti‸tle", "heading"),
        ("#‸", "heading"),
        ("#hash‸tag", "paragraph"),
        ("- on‸e", "list"),
        ("- one\n  mo‸re", "list"),
        ("- ‸", "list"),
        ("-‸", "list"),
        ("12) tw‸elve", "list"),
        ("> quo‸te", "quote"),
        ("| a | b |\n|---|---|\n| 1 ‸| 2 |", "table"),
        ("a | b‸\n--|--\n1 | 2", "table"),
        ("a | b‸\nc | d", "paragraph"),
        ("a | b\n--|--\n1 | 2‸", "table"),
        ("```py\nx =‸ 1\n```", "fence"),
        ("```py\nx = 1\n‸```", "fence"),
        ("```py‸", "fence"),
        ("~~~\n```\n‸\n~~~", "fence"),
        ("```\nx\n```\n\nAft‸er", "paragraph"),
        ("- item\n\n  ```\n  co‸de\n  ```", "fence"),
        ("---\ntitle: ‸x\n---\n\nText", "front_matter"),
        ("---\ntitle: x\n---\n\nTe‸xt", "paragraph"),
        ("Not front\n\n---\nte‸xt", "paragraph"),
        ("* * *‸", "paragraph"),
    ],
)
def test_the_block_is_the_one_a_markdown_reader_sees(text: str, block: str) -> None:
    assert at(text).block == block


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("# A\n\n## B\n\n### C\n\n## D\n\nte‸xt", ("A", "D")),
        ("# A ##\n\n‸", ("A",)),
        ("Title\n=====\n\nPart\n----\n\n‸", ("Title", "Part")),
        ("# A\n\n```\n# not one\n```\n\n‸", ("A",)),
        ("# A\n\n## Here‸", ("A",)),
        ("- item\n---\n‸", ()),
        ("‸\n\n# Later", ()),
    ],
)
def test_the_heading_path_is_that_of_the_headings_above_the_cursors_line(
    text: str, path: tuple[str, ...]
) -> None:
    assert at(text).heading_path == path


def test_details_of_lists_tables_and_fences_are_given() -> None:
    assert at("1. one\n2. tw‸o").marker == "2."
    assert at("1. one\n2. tw‸o").ordered
    assert at("  - nest‸ed").indent == "  "
    assert at("| a | b | c |\n|---|---|---|\n| ‸").columns == 3
    fence = at("````python title=x\ncode‸\n````\n")
    assert (fence.language, fence.fence, fence.fence_closed) == ("python", "````", True)
    assert not at("````python\ncode‸\n```\n").fence_closed
    assert at("```\nx\n```‸").line_closed
    assert at("---\n\n---‸").line_closed
    assert not at("Text‸").line_closed


def test_the_text_of_the_line_before_and_after_the_cursor_is_given() -> None:
    here = at("one\r\ntwo th‸ree\r\nfour")
    assert (here.line_prefix, here.line_suffix) == ("two th", "ree")


def test_source_code_is_code_whatever_it_looks_like() -> None:
    here = cursor_context("# not a heading\nconst x = 1", 20, kind=DocumentKind.TYPESCRIPT)
    assert (here.block, here.heading_path, here.in_code) == ("code", (), True)


def test_windows_are_cut_at_the_largest_border_near_their_end() -> None:
    text = (
        "Old. " * 50 + "\n\nNew paragraph. " + "x" * 20 + "‸" + "y" * 20 + " end.\n\nLater. " + "More. " * 50
    )
    index = text.index("‸")
    here = cursor_context(text.replace("‸", ""), index, prefix_budget=45, suffix_budget=33)
    assert here.prefix == "New paragraph. " + "x" * 20
    assert here.suffix == "y" * 20 + " end."


def test_a_window_never_cuts_a_character_from_its_marks() -> None:
    text = "e\u0301" * 50
    assert not cursor_context(text, 100, prefix_budget=9).prefix.startswith("\u0301")
    assert cursor_context("👩‍👩‍👧" * 30, 0, suffix_budget=21).suffix[-1] != "\u200d"


TEXTS = st.lists(
    st.sampled_from(
        ["# ", "- ", "```", "~~~", "| ", "|", "---", "===", "\n", "\r\n", "\r", "1. ", "> ", " ", "a", "é😀"]
    )
    | st.text(max_size=3),
    max_size=40,
).map("".join)


@given(TEXTS, st.integers(-3, 200), st.integers(0, 40), st.integers(0, 40))
def test_any_text_and_index_give_the_text_around_the_cursor(
    text: str, index: int, before: int, after: int
) -> None:
    here = cursor_context(text, index, prefix_budget=before, suffix_budget=after)
    place = min(max(index, 0), len(text))
    if text[place - 1 : place + 1] == "\r\n" and place:
        place -= 1
    assert text[:place].endswith(here.prefix)
    assert text[place:].startswith(here.suffix)
    assert len(here.prefix) <= before
    assert len(here.suffix) <= after
    assert here.place()
