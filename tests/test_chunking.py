"""Passages: verbatim, whole, cut along the outline, and stable under edits."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter

from shared.text.chunking import MAX_TOKENS, TOKENIZER, chunk_document, embedded_text
from shared.text.outline import outline
from shared.text.tokens import estimate_tokens
from shared.types import Chunk, DocumentKind

MARKDOWN, TYPESCRIPT, JSON = DocumentKind.MARKDOWN, DocumentKind.TYPESCRIPT, DocumentKind.JSON

GUIDE = """\
---
title: A guide
---

Some words before all.

# The guide

## Setup

Install it first.

```sh
# not a heading
make
```

Usage
-----

### Starting

Run it.

### Stopping

Press a key.

## Limits

There are *none*.
"""

LEDGER = """\
import { Pool } from "./pool";

// What is kept.
export interface Entry {
  id: string;
}

/** Adds up what was spent. */
export class Ledger {
  private entries: Entry[] = [];

  /** Adds one. */
  add(entry: Entry): void {
    // class Hidden {
    this.entries.push(entry);
  }

  async total(): Promise<number> {
    return this.entries.length;
  }
}

export const empty = (): Ledger => new Ledger();
"""


def words(count: int, seed: int = 0) -> str:
    return " ".join(f"word{(number * 7919 + seed) % 997}" for number in range(count)) + "."


def check(content: str, chunks: list[Chunk], max_tokens: int) -> None:
    """What holds for the chunks of any document."""
    encoded = content.encode("utf-16-le", "surrogatepass")
    end = 0
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert chunk.text.strip() == chunk.text != ""
        between = encoded[2 * end : 2 * chunk.start].decode("utf-16-le", "surrogatepass")
        assert not between.strip()
        end = chunk.end
        assert encoded[2 * chunk.start : 2 * end].decode("utf-16-le", "surrogatepass") == chunk.text
        before = encoded[: 2 * chunk.start].decode("utf-16-le", "surrogatepass")
        assert chunk.start_line == line_ends(before)
        assert chunk.end_line == line_ends(before + chunk.text)
        assert 1 <= chunk.tokens <= max_tokens
        assert (
            len(TextSplitter.from_tiktoken_model(TOKENIZER, max_tokens, trim=False).chunks(chunk.text)) == 1
        )
        assert chunk.text_hash == digest(chunk)
    assert not encoded[2 * end :].decode("utf-16-le", "surrogatepass").strip()


def line_ends(text: str) -> int:
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


def digest(chunk: Chunk) -> str:
    text = embedded_text(chunk.text, chunk.heading_path)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# --- any text ------------------------------------------------------------------------------------

MARKS = [
    "# One\n",
    "## Two\n",
    "### Three\n",
    "Title\n===\n",
    "- item\n",
    "```\n",
    "> ",
    "| a | b |\n",
    "---\n",
]
SPACES = ["\n", "\n\n", "\r\n", "\t", "    code\n", "\x0b", "\u2028", "\x1c"]
TEXTS = ["text ", "word " * 40, "x" * 300, "😀", "e\u0301", "漢字", "*", "`", "<b>"]
CODE = ["[", "{", "}\n", '"a": 1,', "class A {\n", "function f() {\n", "// note\n"]
PIECES = st.sampled_from([*MARKS, *SPACES, *TEXTS, *CODE])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join), st.sampled_from(DocumentKind), st.sampled_from([16, 48]))
def test_chunks_are_verbatim_in_order_small_and_leave_nothing_out(
    content: str, kind: DocumentKind, max_tokens: int
) -> None:
    check(content, chunk_document(content, kind, max_tokens=max_tokens), max_tokens)
    check(content, chunk_document(content, kind, max_tokens=max_tokens, fill=True), max_tokens)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=30)),
        lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=9), inner)),
        max_leaves=40,
    ),
    st.sampled_from([None, 2]),
)
def test_so_it_is_for_any_json(value: Any, indent: int | None) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=False)
    check(content, chunk_document(content, JSON, max_tokens=24), 24)


@pytest.mark.parametrize("content", ["", " ", "\n\r\n\t", "\u2028\x0b"])
@pytest.mark.parametrize("kind", DocumentKind)
def test_a_document_of_white_space_has_no_chunks(content: str, kind: DocumentKind) -> None:
    assert chunk_document(content, kind) == []


@pytest.mark.parametrize("kind", DocumentKind)
@pytest.mark.parametrize(
    "content", ["a" * 200_000, "[" * 50_000, "- x\n" * 40_000, "`" * 20_000, "漢" * 60_000]
)
def test_text_that_is_hard_to_cut_is_cut_all_the_same(content: str, kind: DocumentKind) -> None:
    chunks = chunk_document(content, kind)
    assert sum(chunk.end - chunk.start for chunk in chunks) >= len(content) - content.count("\n")


# --- Markdown ------------------------------------------------------------------------------------


def test_a_chunk_stands_under_its_headings() -> None:
    paths = {chunk.text.splitlines()[0]: chunk.heading_path for chunk in chunk_document(GUIDE, MARKDOWN)}
    assert paths == {
        "---": (),
        "# The guide": ("The guide", "Setup"),
        "Usage": ("The guide", "Usage"),
        "## Limits": ("The guide", "Limits"),
    }


def test_small_subsections_stay_together_and_the_sections_that_divide_the_document_apart() -> None:
    chunks = chunk_document(GUIDE, MARKDOWN)
    names = ("Setup", "Starting", "Stopping", "Limits")
    held = [[name for name in names if name in chunk.text] for chunk in chunks]
    assert held == [[], ["Setup"], ["Starting", "Stopping"], ["Limits"]]


def test_two_titles_are_never_in_one_chunk() -> None:
    chunks = chunk_document("# One\n\nShort.\n\n# Two\n\nShort too.\n", MARKDOWN)
    assert [chunk.heading_path for chunk in chunks] == [("One",), ("Two",)]


def test_a_mere_list_of_headings_is_not_a_chunk_each() -> None:
    content = "# a\n" * 20_000
    chunks = chunk_document(content, MARKDOWN)
    check(content, chunks, MAX_TOKENS)
    assert len(chunks) < 1000


def test_asked_to_fill_it_puts_small_sections_together() -> None:
    assert len(chunk_document(GUIDE, MARKDOWN, fill=True)) == 1
    long = "".join(f"## Part {number}\n\n{words(200, number)}\n\n" for number in range(20))
    filled = chunk_document(long, MARKDOWN, max_tokens=4000, fill=True)
    check(long, filled, 4000)
    assert len(filled) <= 5
    assert all(chunk.text.startswith("## Part") for chunk in filled)


def test_a_long_section_is_cut_between_paragraphs() -> None:
    paragraphs = [words(60, number) for number in range(30)]
    content = "# Long\n\n" + "\n\n".join(paragraphs)
    chunks = chunk_document(content, MARKDOWN)
    check(content, chunks, MAX_TOKENS)
    assert len(chunks) > 5
    assert all(chunk.text.split("\n\n")[-1] in paragraphs for chunk in chunks)
    assert {chunk.heading_path for chunk in chunks} == {("Long",)}


def test_no_remnant_of_a_few_words_is_left_over() -> None:
    for count in range(40, 400, 16):
        content = f"# Head\n\n{words(count)}\n\n{words(100, 1)}\n\nThe end."
        *_, before, last = ["", *(chunk.text for chunk in chunk_document(content, MARKDOWN))]
        assert last != "The end." or estimate_tokens(before) > 0.9 * MAX_TOKENS


def test_a_heading_is_named_without_its_marks() -> None:
    content = '# The `match` **flow** [here](http://x)<a name="y"></a>\n\nText.'
    assert chunk_document(content, MARKDOWN)[0].heading_path == ("The match flow here",)


def test_the_hash_is_of_what_is_embedded() -> None:
    one, other = (chunk_document(f"# {name}\n\nThe same text.", MARKDOWN)[0] for name in ("One", "Two"))
    assert one.text_hash != other.text_hash
    assert embedded_text("x", ("A", "B")) == "A › B\n\nx"
    assert embedded_text("x", ()) == "x"


def test_an_edit_changes_the_chunks_about_it_alone() -> None:
    paragraphs = [words(30 + 13 * number % 90, number) for number in range(400)]
    before = {chunk.text_hash for chunk in chunk_document("\n\n".join(paragraphs), MARKDOWN)}
    changed = []
    for place in range(0, 400, 40):
        edited = [*paragraphs[:place], words(25, 5), paragraphs[place] + " More.", *paragraphs[place + 1 :]]
        after = chunk_document("\n\n".join(edited), MARKDOWN)
        changed.append(sum(chunk.text_hash not in before for chunk in after))
    assert max(changed) <= 12
    assert sum(changed) / len(changed) <= 3


# --- TypeScript and JSON -------------------------------------------------------------------------


def test_code_is_cut_at_declarations_with_their_comments() -> None:
    chunks = chunk_document(LEDGER, TYPESCRIPT, max_tokens=48)
    check(LEDGER, chunks, 48)
    assert any(
        chunk.text.startswith("/** Adds up what was spent. */\nexport class Ledger") for chunk in chunks
    )


def test_code_stands_under_its_class_and_method() -> None:
    assert [
        (LEDGER[one.start :].split("\n")[0].strip(), one.path) for one in outline(LEDGER, TYPESCRIPT)
    ] == [
        ("// What is kept.", ("Entry",)),
        ("/** Adds up what was spent. */", ("Ledger",)),
        ("/** Adds one. */", ("Ledger", "add")),
        ("async total(): Promise<number> {", ("Ledger", "total")),
        ("export const empty = (): Ledger => new Ledger();", ("empty",)),
    ]


@pytest.mark.parametrize("element", ["<T,>(x: T) => x", "<p>Hello</p>"])
def test_code_with_and_without_elements_is_cut(element: str) -> None:
    content = "".join(
        f"export function part{number}() {{\n  const made = {element};\n  return made;\n}}\n\n"
        for number in range(40)
    )
    chunks = chunk_document(content, TYPESCRIPT, max_tokens=96)
    check(content, chunks, 96)
    assert all(chunk.text.startswith("export function") and chunk.text.endswith("}") for chunk in chunks)


def test_json_is_cut_between_members_and_stands_under_its_keys() -> None:
    content = json.dumps(
        {"limits": {f"rule{number}": {"text": words(9, number), "on": True} for number in range(60)}},
        indent=2,
    )
    chunks = chunk_document(content, JSON)
    check(content, chunks, MAX_TOKENS)
    assert len(chunks) > 3
    assert all(chunk.heading_path[:1] == ("limits",) for chunk in chunks)
    assert all(chunk.text.startswith('"rule') for chunk in chunks[1:])


# --- estimates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", words(100), LEDGER, GUIDE])
def test_an_estimate_is_near_the_count(text: str) -> None:
    splitter = TextSplitter.from_tiktoken_model(TOKENIZER, int(estimate_tokens(text) * 1.35) + 1, trim=False)
    assert len(splitter.chunks(text)) <= 1
    assert estimate_tokens(text) >= 1
