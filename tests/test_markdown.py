"""The Markdown scanner finds the blocks, with places that are true, in any text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.text.markdown import heading_titles, scan
from shared.text.markdown_inline import FILLER, plain_text, read_inline

CORPUS = Path(__file__).parents[1].parent / "shared" / "data" / "markdown_corpus"
PIECES = [
    *("a", "b c", "# h", "## h #", "```", "~~~", "```py", "    ", "  ", "- ", "* ", "1. ", "2. ", "> ", ">"),
    *("\n", "\n", "\n\n", "---", "===", "|", "a|b", "|-|-|", "[a]: b", "<div>", "<!-- x", "-->", "\t", "+ "),
    *(
        "#",
        "\\",
        "\r\n",
        "`",
        "``",
        "[x](#y)",
        "[x][y]",
        "![",
        "](",
        "<b>",
        "é😀",
        "{{",
        "}}",
        "\r",
        "\u2028",
    ),
    *("***", "{ #id }"),
]
any_markdown = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=40).map("".join)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# One\n\n## Two ##\n", [(1, "One", 0), (2, "Two", 2)]),
        ("Title\n=====\n\nPart\n----\n", [(1, "Title", 0), (2, "Part", 3)]),
        ("#not\n\n####### seven\n", []),
        ("```\n# code\n```\n\n    # code\n", []),
        ("---\ntitle: x\n---\n# A\n", [(1, "A", 3)]),
        ("> # quoted\n\n- # listed\n", [(1, "quoted", 0), (1, "listed", 2)]),
        ("a\r\n\r\n# B\r\n", [(1, "B", 2)]),
        ("#\n", [(1, "", 0)]),
    ],
)
def test_headings_are_found_with_level_text_and_line(
    content: str, expected: list[tuple[int, str, int]]
) -> None:
    assert [(one.level, one.text, one.line) for one in scan(content).headings] == expected


def test_headings_in_quotes_and_lists_do_not_divide_the_document() -> None:
    assert [one.text for one in scan("# A\n\n> ## b\n\n- ## c\n").top_headings] == ["A"]


@pytest.mark.parametrize(
    ("content", "info", "body", "closed"),
    [
        ("```py\nx = 1\n```\n", "py", "x = 1\n", True),
        ("~~~\n```\n~~~\n", "", "```\n", True),
        ("````\n```\n````", "", "```\n", True),
        ("```\nx", "", "x", False),
        ("- ```js\n  x\n  ```\n", "js", "  x\n", True),
        ("- ```js\n  x\n\nafter\n", "js", "  x\n\n", False),
        ("```\r\nx\r\n```", "", "x\r\n", True),
    ],
)
def test_fences_are_found_with_their_code_and_whether_they_are_closed(
    content: str, info: str, body: str, closed: bool
) -> None:
    (fence,) = scan(content).fences
    assert (fence.info, content[fence.body_start : fence.body_end], fence.closed) == (info, body, closed)


def test_list_items_have_marker_column_and_depth() -> None:
    items = scan("1. a\n   - b\n\n   - c\n2. d\n").items
    assert [(one.marker, one.column, one.depth, one.line) for one in items] == [
        ("1.", 0, 1, 0),
        ("-", 3, 2, 1),
        ("-", 3, 2, 3),
        ("2.", 0, 1, 4),
    ]


def test_a_table_has_its_columns_and_ends_at_a_blank_line() -> None:
    content = "before\n\n| a | b |\n|---|:-:|\n| 1 | 2 \\| 3 |\n\nafter\n"
    (table,) = scan(content).tables
    assert (table.columns, table.line) == (2, 2)
    assert content[table.start : table.end].endswith("2 \\| 3 |")


def test_a_rule_with_other_columns_than_the_row_above_makes_no_table() -> None:
    assert scan("| a |\n|---|---|\n").tables == ()


def test_link_definitions_are_no_paragraphs_and_their_labels_are_normalised() -> None:
    markdown = scan("[A  b]: <x y> 'title'\n[^1]: note\n\n[c]:\n  /d\ntext\n")
    assert [(one.label, one.target) for one in markdown.definitions] == [
        ("a b", "x y"),
        ("^1", ""),
        ("c", "/d"),
    ]
    assert [markdown.content[one.start : one.end] for one in markdown.paragraphs] == ["[^1]: note", "text"]


def test_prose_keeps_words_and_blanks_out_code_targets_tags_and_addresses() -> None:
    content = 'See `the code` and [a *link*](#target "t") <b>x</b> https://a.b/c. End\\.\n'
    prose = read_inline(scan(content)).prose
    assert len(prose) == len(content)
    words = prose.replace(FILLER, "")
    assert words.startswith("See  and [a *link* x . End.")
    for hidden in ("code", "target", "<b>", "https"):
        assert hidden not in prose


def test_links_have_the_place_of_their_target() -> None:
    content = "[a](#b) ![c](d.png) [e][F g] [h][] [i]"
    links = read_inline(scan(content)).links
    assert [(one.target, one.image, one.reference) for one in links] == [
        ("#b", False, False),
        ("d.png", True, False),
        ("f g", False, True),
        ("h", False, True),
    ]
    assert [content[one.target_start : one.target_end] for one in links] == ["#b", "d.png", "F g", ""]
    assert content[links[0].start : links[0].end] == "[a](#b)"


def test_a_link_around_a_link_begins_at_its_own_bracket() -> None:
    content = "[a [b](c) d](e)"
    assert [content[one.start : one.end] for one in read_inline(scan(content)).links] == ["[b](c)", content]


def test_backticks_that_nothing_closes_are_text() -> None:
    assert "word" in read_inline(scan("a ``word` b")).prose


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**Bold** and `code`", "Bold and code"),
        ('Name<a name="x"></a> { #id }', "Name"),
        ("[link](x) snake_case", "link snake_case"),
        ("A &amp; B \\(c\\)", "A B (c)"),
    ],
)
def test_plain_text_is_what_a_reader_sees(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text


def test_heading_titles_are_plain() -> None:
    assert heading_titles("# **A**\n\n## `b` c\n") == ("A", "b c")


def test_lines_are_counted_for_every_kind_of_line_end() -> None:
    markdown = scan("a\rb\r\nc\nd")
    assert [markdown.line_of(index) for index in (0, 2, 4, 5, 7)] == [0, 1, 1, 2, 3]


@settings(max_examples=300, deadline=None)
@given(any_markdown)
def test_any_text_is_scanned_and_all_places_stand_in_it(content: str) -> None:
    markdown = scan(content)
    size = len(content)
    for heading in markdown.headings:
        assert 0 <= heading.start <= heading.text_start <= heading.end <= size
        assert heading.setext or content.startswith("#" * heading.level, heading.start)
        assert content.startswith(heading.text, heading.text_start)
    for fence in markdown.fences:
        assert 0 <= fence.start < fence.end <= size
        assert fence.body_start <= fence.body_end <= size
        assert content.startswith(fence.marker, fence.start)
    for item in markdown.items:
        assert content.startswith(item.marker, item.start)
    for span in (*markdown.paragraphs, *markdown.tables, *markdown.html, *markdown.indented_code):
        assert 0 <= span.start < span.end <= size
    starts = [one.start for one in markdown.paragraphs]
    assert starts == sorted(starts)


@settings(max_examples=300, deadline=None)
@given(any_markdown)
def test_prose_of_any_text_has_its_length_and_its_characters(content: str) -> None:
    inline = read_inline(scan(content))
    assert len(inline.prose) == len(content)
    for shown, real in zip(inline.prose, content, strict=True):
        assert shown in (real, FILLER, "\ufffe", " ")
    for link in inline.links:
        assert 0 <= link.start < link.target_start <= link.target_end <= link.end <= len(content)
        assert content[link.start] in "[!"


def _blocks_of_reference(content: str) -> dict[str, list[tuple[object, ...]]]:
    """The same facts from markdown-it-py, which is a full CommonMark parser."""
    environment: dict[str, object] = {}
    parser = MarkdownIt("commonmark").enable("table").disable("inline")
    tokens = [token for token in parser.parse(content, environment) if token.map]
    kinds = {"heading_open": "headings", "fence": "fences", "table_open": "tables", "list_item_open": "items"}
    found: dict[str, list[tuple[object, ...]]] = {kind: [] for kind in kinds.values()}
    for token in tokens:
        if token.type in kinds and token.map:
            facts = {"heading_open": (token.tag,), "fence": (token.info.strip(),)}.get(token.type, ())
            found[kinds[token.type]].append((token.map[0], *facts))
    return found


def _blocks_of_ours(content: str) -> dict[str, list[tuple[object, ...]]]:
    markdown = scan(content)
    return {
        "headings": [(one.line, f"h{one.level}") for one in markdown.headings],
        "fences": [(one.line, one.info) for one in markdown.fences],
        "tables": [(one.line,) for one in markdown.tables],
        "items": [(one.line,) for one in markdown.items],
    }


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the Markdown corpus is not on this machine")
def test_the_corpus_has_the_blocks_a_full_parser_finds() -> None:
    different = []
    for path in sorted(CORPUS.rglob("*.md"))[::7]:
        content = path.read_text(encoding="utf-8")
        if scan(content).front_matter is None and _blocks_of_ours(content) != _blocks_of_reference(content):
            different.append(path.name)
    assert different == []


@pytest.mark.parametrize(
    "line", ["- a\n", "# a\n", "> a\n", "|a|b|\n|-|-|\n", "`a``b", "[", "<!--", "[](  ", '](a "']
)
def test_a_long_text_of_one_pattern_is_read_to_its_end(line: str) -> None:
    content = line * (60_000 // len(line))
    assert len(read_inline(scan(content)).prose) == len(content)
