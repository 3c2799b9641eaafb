"""Offline suggestions go on with the document's own form, and can be inserted exactly as they are."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.markdown import scan
from shared.text.offline.suggestions import suggest
from shared.text.offline.typescript_scan import scan_typescript
from shared.types import DocumentKind
from tests.test_offline_analysis import any_document

MARKDOWN, TYPESCRIPT, JSON = DocumentKind.MARKDOWN, DocumentKind.TYPESCRIPT, DocumentKind.JSON
CURSOR = "¦"


def suggestions(marked: str, kind: DocumentKind = MARKDOWN, count: int = 3) -> tuple[str, ...]:
    before, after = marked.split(CURSOR)
    return suggest(before + after, len(before), kind, count=count)


def applied(marked: str, kind: DocumentKind = MARKDOWN) -> str:
    return marked.replace(CURSOR, suggestions(marked, kind)[0])


DESIGN = "# Payments: the design\n\nIt is slow.\n\n"


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        ("- a\n- b¦", "\n- Next point"),
        ("* a\n  * b¦\n* c", "\n  * Next point"),
        ("1. a\n2. b¦\n", "\n3. Check the result"),
        ("1) a\n1) b¦\n", "\n1) Check the result"),
        ("- [x] a\n- [ ] b¦", "\n- [ ] Check the result"),
        ("- **A**: one.\n- **B**: two.¦", "\n- **Name**: what it means."),
        ("- a.\n- b.\n¦", "- Next point."),
        ("- ¦", "Next point"),
        ("- a\r\n- b¦\r\n", "\r\n- Next point"),
        ("| a | b |\n|---|---|\n| x | y |¦", "\n|  |  |"),
        ("| n | b |\n|---|---|\n| 7 | y |\n¦", "| 8 |  |"),
        ("| a | b | c |\n|---|---|---|\n| x |¦", "  |  |"),
        ("| a | b |¦", "\n| --- | --- |"),
        ("Such as these. For example:¦", "\n\n- First example\n- Second example\n"),
        ("Follow these steps:\n\n¦", "1. First step\n2. Second step\n3. Check the result\n"),
        ("Some **bold¦", "**"),
        ("Some `code¦ and more", "`"),
        ("A (bracket [inside¦", "])"),
        ("No full stop¦", "."),
        ("```py\nx = 1¦", "\n```\n"),
        ("```json\n{\"a\": [1¦\n```\n", ", 0]}"),
        ("> [!NOTE]¦", "\n> What the reader must not miss."),
        ("---\ntitle: x\n¦\n---\n# T\n", 'description: "The document\'s description"'),
        ("# T\n\nText in¦ the middle.\n\n## Part b\n", " (see [Part b](#part-b))"),
        (DESIGN + "## ¦", "Goals\n\n- Goal, with the figure that shows it is reached\n"
         "- Who benefits from it"),
        (DESIGN + "## Alt¦", "ernatives considered\n\n- Alternative: what speaks for it, what against it\n"
         "- Doing nothing: what that would cost"),
        (DESIGN + "## Goals\n\n- Fast¦", "\n- Goal, with the figure that shows it is reached"),
        (DESIGN + "## Goals¦\n\n## Design\n\nx", "\n\n- Goal, with the figure that shows it is reached\n"
         "- Who benefits from it"),
    ],
)  # fmt: skip
def test_markdown_goes_on_in_its_own_form(marked: str, first: str) -> None:
    assert suggestions(marked)[0] == first


def test_the_next_missing_section_follows_the_one_at_the_cursor() -> None:
    marked = DESIGN + "## Alternatives\n\nNone was better.\n\n¦"
    headings = [text.split("\n")[0] for text in suggestions(marked, count=5) if text.startswith("## ")]
    assert headings[0] == "## Risks and security"
    assert headings[-1] == "## Goals"


def test_no_section_is_put_where_it_would_take_the_text_below() -> None:
    for below in ("two", "### B\n\ntwo"):
        for text in suggestions(f"# T\n\n## A\n\none\n\n¦\n\n{below}\n", count=5):
            assert "#" not in text


@pytest.mark.parametrize(
    "before", ["# T\n\n## A\n\nText.", "# T\n\n## A\n\nText.\n", "# T\n\n## A\n\nText.\n\n"]
)
@pytest.mark.parametrize("after", ["", "\n", "\n\n## B\n\nx\n", "\n## B\n"])
def test_a_new_section_has_blank_lines_around_it(before: str, after: str) -> None:
    text = next(one for one in suggest(before + after, len(before), MARKDOWN, count=9) if "## " in one)
    content = before + text + after
    for heading in scan(content).headings[1:]:
        assert content[: heading.start].endswith("\n\n")
    assert "\n\n\n\n" not in content


def test_an_empty_document_gets_something_to_start_from() -> None:
    first, *others = suggest("", 0, MARKDOWN, count=3)
    assert first.startswith("# Title\n\n## Purpose\n")
    assert len(others) == 2
    assert suggest("", 0, JSON, count=1)[0].startswith("{")
    assert "export" in suggest("", 0, TYPESCRIPT, count=1)[0]


def test_nothing_is_put_into_the_middle_of_a_word() -> None:
    assert suggestions("wo¦rd") == ()


def test_what_stands_behind_the_cursor_is_not_suggested() -> None:
    assert "\n- Next point" not in suggestions("- a¦\n- Next point\n")
    note = "> **Note:** What the reader must not miss."
    assert note in suggestions("One.\n\n¦\n\nTwo.\n", count=9)
    assert note not in suggestions(f"One.\n\n¦\n\n{note}\n", count=9)
    assert all("Goals" not in text for text in suggestions(DESIGN + "¦\n## Goals\n\nx\n", count=9))


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        ("export function f() {\n  go();¦", "\n}"),
        ("const a = foo(bar(1¦", "))"),
        ("const a = [1, 2¦", "]"),
        ("const s = 'abc¦", "'"),
        ("const t = `abc¦", "`"),
        ("const t = `a ${b¦", "}`"),
        ("class A {\n  m() {\n    if (x) {¦\n", "\n      \n    }\n  }\n}"),
        ("/* a comment¦", " */"),
        (
            "/**¦\nexport function f(a: number): number { return a }",
            "\n * Describe what it does.\n *\n * @param a - What it is.\n * @returns What it gives.\n */",
        ),
        (
            "import x from 'y';\n\n¦\nexport const f = (a: string, b = [1, 2]): string => a;\n",
            "/**\n * Describe what it does.\n *\n * @param a - What it is.\n * @param b - What it is.\n"
            " * @returns What it gives.\n */",
        ),
        ("¦export class A {}\n", "/**\n * Describe what it does.\n */\n"),
    ],
)
def test_typescript_is_closed_and_described(marked: str, first: str) -> None:
    assert suggestions(marked, TYPESCRIPT)[0] == first


def test_what_is_closed_already_is_not_closed_again() -> None:
    assert suggestions("const y = f(¦);", TYPESCRIPT) == ()
    assert all("}" not in text for text in suggestions("function f() {\n  a();\n  ¦\n}\n", TYPESCRIPT))


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        ("{¦", '"name": ""}'),
        ('{\n  "a": 1¦\n}', ',\n  "name": ""'),
        ('[{"n": "x", "v": 1}, {"n": "y"¦}]', ', "v": 0'),
        ('[\n  {\n    "n": "x",\n    "v": true\n  },\n  {\n    "n": "y",\n    ¦', '"v": false\n  }\n]'),
        ('[{"name": 1, "value": 2}, {"na¦', 'me": 0}]'),
        ('{"a": "b¦', '"}'),
        ('{"a": [1, 2¦', ", 0]}"),
        ('{"a"¦', ': ""}'),
        ('{¦"a": 1}', '"name": "",'),
        ('{¦"name": {"description": 1}}', '"description": "",'),
        ('{"a": 1¦ "b": 2}', ","),
        ('[{"a": 1}¦', ', {"a": 0}]'),
    ],
)
def test_json_goes_on_in_the_shape_of_its_neighbours(marked: str, first: str) -> None:
    assert suggestions(marked, JSON)[0] == first


short_text = st.text(max_size=3)
any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | short_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short_text, inner, max_size=3),
    max_leaves=8,
)
VALUE_END = re.compile(r'(?<=[\[,: \n])(?:"(?:[^"\\]|\\.)*"|null|true|false|-?\d+)(?=\s*[,\]}])')


@settings(max_examples=200, deadline=None)
@given(any_value, st.booleans(), st.data())
def test_json_cut_short_behind_a_value_becomes_whole(
    value: object, indented: bool, data: st.DataObject
) -> None:
    content = json.dumps({"root": [value, 1]}, indent=2 if indented else None)
    cut = data.draw(st.sampled_from([found.end() for found in VALUE_END.finditer(content)]))
    for text in suggest(content[:cut], cut, JSON, count=3):
        json.loads(content[:cut] + text)


@settings(max_examples=400, deadline=None)
@given(any_document, st.integers(-3, 200), st.integers(1, 5))
def test_any_text_and_any_cursor_give_text_to_insert(
    document: tuple[str, DocumentKind], index: int, count: int
) -> None:
    content, kind = document
    given_texts = suggest(content, index, kind, count=count)
    assert given_texts == suggest(content, index, kind, count=count)
    assert len(given_texts) == len(set(given_texts)) <= count
    place = min(max(index, 0), len(content))
    for text in given_texts:
        assert text
        words = text.strip()
        if any(one.isalnum() for one in words):
            plain_after = content[place:].replace("\r\n", "\n").replace("\r", "\n").lstrip()
            assert not plain_after.startswith(words.replace("\r\n", "\n"))


@settings(max_examples=200, deadline=None)
@given(any_document, st.integers(0, 200))
def test_a_suggestion_opens_no_fence_that_it_leaves_open(
    document: tuple[str, DocumentKind], index: int
) -> None:
    content, kind = document
    place = min(index, len(content))
    if kind is not MARKDOWN or content[place - 1 : place + 1] == "\r\n":
        return
    unclosed = sum(not fence.closed for fence in scan(content).fences)
    for text in suggest(content, place, kind, count=5):
        if "```text" in text:
            after = scan(content[:place] + text + content[place:])
            assert sum(not fence.closed for fence in after.fences) <= unclosed


@pytest.mark.parametrize(
    "code",
    [
        "function f(a: {b: string[",
        "const x = { a: [ (1",
        "if (a) {\n  while (b) {\n    c([",
        "`a ${f(`b ${c",
        "class A {\n  b = {\n",
    ],
)
def test_closing_all_that_is_open_leaves_nothing_open(code: str) -> None:
    first = suggest(code, len(code), TYPESCRIPT, count=1)[0]
    assert scan_typescript(code + first).opened == ()


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        (TYPESCRIPT, "{"),
        (TYPESCRIPT, "`${"),
        (TYPESCRIPT, "catch{"),
        (JSON, '{"a":'),
        (JSON, "["),
        (MARKDOWN, "- a\n"),
        (MARKDOWN, "**a "),
    ],
)
def test_a_long_text_of_one_pattern_gets_short_suggestions(kind: DocumentKind, piece: str) -> None:
    content = piece * (30_000 // len(piece))
    for text in suggest(content, len(content), kind, count=3):
        assert len(text) < 2_000
