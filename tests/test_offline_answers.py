"""Offline answers quote the passages word for word, or say that the documents do not say."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.abstention import Search, area_under_curve, ask, paragraphs, read_lines
from shared.text.markdown import scan
from shared.text.offline.answers import ABSTENTION, MOST_QUOTES, answer, confidence
from shared.text.offline.model import OfflineAnswer
from shared.text.offline.question import read_question
from shared.text.offline.terms import stem, terms
from shared.types import Match
from tests.test_markdown import any_markdown

DATA = Path(__file__).parents[1].parent / "shared" / "data"
STRUCTS = """## Defining Structs

Structs are similar to tuples, in that both hold multiple related values.

To define a struct, we enter the keyword `struct` and name the entire struct. A
struct’s name should describe the significance of the data.

```rust
struct User { active: bool }
```
"""
ENUMS = """## Enums

Enums give you a way of saying a value is one of a set of values. The limit is 255 variants.

| Name | Size |
| --- | --- |
| Option | two variants |
"""


def match(text: str, *headings: str, title: str = "Book", start: int = 0) -> Match:
    return Match(
        chunk_id=f"chunk-{start}",
        document_id="document",
        document_title=title,
        content_hash="hash",
        text=text,
        start=start,
        end=start + len(text),
        start_line=0,
        end_line=text.count("\n"),
        heading_path=headings,
        similarity=None,
        score=0.0,
    )


def quoted(given_answer: OfflineAnswer, matches: list[Match]) -> list[str]:
    return [matches[one.match_index].text[one.start : one.end] for one in given_answer.citations]


DEFINITION = "To define a struct, we enter the keyword `struct` and name the entire struct."
BOOK = [match(ENUMS, "Enums", start=900), match(STRUCTS, "Defining Structs")]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("How do I define a struct?", DEFINITION),
        ("What are enums?", "Enums give you a way of saying a value is one of a set of values."),
        ("How many variants can an enum have?", "The limit is 255 variants."),
        ("defining structs", DEFINITION),
        ("What size is Option?", "| Option | two variants |"),
    ],
)  # fmt: skip
def test_the_sentence_that_answers_comes_first(question: str, first: str) -> None:
    given_answer = answer(question, BOOK)
    assert not given_answer.abstained
    assert quoted(given_answer, BOOK)[0] == first
    assert given_answer.answer.startswith(f"The documents say: “{first}” [1]")


def test_each_quote_has_its_marker_and_stands_once() -> None:
    matches = [*BOOK, match(STRUCTS, "Defining Structs", start=5000)]
    given_answer = answer("How do I define a struct and name it?", matches)
    texts = quoted(given_answer, matches)
    assert len(set(texts)) == len(texts) <= MOST_QUOTES
    assert [one.marker for one in given_answer.citations] == list(range(1, len(texts) + 1))
    for one, text in zip(given_answer.citations, texts, strict=True):
        assert f"“{text}” [{one.marker}]" in given_answer.answer


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "Who wrote Hamlet?",
        "How do I bake bread at home?",
        "",
        "the of and",
        "???",
    ],
)
def test_a_question_nothing_matches_is_not_answered(question: str) -> None:
    assert answer(question, BOOK) == OfflineAnswer(ABSTENTION, (), abstained=True)


def test_without_passages_there_is_no_answer() -> None:
    assert answer("What is a struct?", []).abstained


@pytest.mark.parametrize(
    ("question", "sentence", "doubt"),
    [
        ("Was the first king tall?", "The first king was tall.", 0.0),
        ("Was the last king tall?", "The first king was tall.", 0.4),
        ("Which engine has 12 valves?", "The engine has 12 valves.", 0.0),
        ("Which engine has 16 valves?", "The engine has 12 valves.", 0.4),
        ("When did the inn in Oslo open?", "The inn in Bonn opened.", 0.1),
        ("Who accepted the plan?", "The plan was accepted by the council.", 0.0),
        ("Who never accepted the plan?", "The plan was accepted by the council.", 0.2),
    ],
)
def test_what_contradicts_the_question_counts_against_a_sentence(
    question: str, sentence: str, doubt: float
) -> None:
    asked = read_question(question, [terms(sentence)])
    assert asked.doubt(sentence, set(terms(sentence))) >= doubt
    assert (asked.doubt(sentence, set(terms(sentence))) == 0) == (doubt == 0)


def test_a_name_that_the_passage_does_not_have_counts_against_it() -> None:
    passage = [match("The inn opened in spring, at the lake.", "Bonn")]
    there, elsewhere = "When did the inn in Bonn open?", "When did the inn in Oslo open?"
    assert confidence(there, passage) > confidence(elsewhere, passage) + 0.3


def test_one_word_in_common_is_not_enough() -> None:
    assert answer("Which values did the harvest of wheat reach in autumn?", BOOK).abstained


def test_code_is_not_quoted_but_the_sentence_before_it() -> None:
    text = (
        "Some words of other things are here.\n\nOpen it like this:\n\n```py\nsocket.connect(address)\n```\n"
    )
    matches = [match(text)]
    assert quoted(answer("How do I connect a socket to an address?", matches), matches) == [
        "Open it like this:"
    ]


def test_of_code_and_data_single_lines_are_quoted() -> None:
    matches = [match('{\n  "timeout": 30,\n  "retries": 3,\n  "name": "x"\n}')]
    assert quoted(answer("What is the timeout?", matches), matches) == ['"timeout": 30,']
    code = 'import x from "y";\n/** Adds two numbers. */\nexport function add(a: number) {\n  return a;\n}\n'
    assert quoted(answer("adds two numbers", [match(code)]), [match(code)]) == ["/** Adds two numbers. */"]


def test_headings_are_met_but_not_quoted() -> None:
    matches = [match("## Installation\n\nRun the script with care.\n", "Rust on Windows", "Installation")]
    assert quoted(answer("How do I run the Rust installation script?", matches), matches) == [
        "Run the script with care."
    ]


def test_a_question_about_the_document_quotes_its_beginning() -> None:
    matches = [
        match("Later words stand here.", start=500),
        match("This guide explains cats. They purr. More."),
    ]
    assert quoted(answer("What is this document about?", matches), matches)[0] == "This guide explains cats."


@pytest.mark.parametrize(
    "forms",
    [
        "define defining defined definition definitions defines",
        "instantiate instantiation instantiating",
        "run running runs",
        "policy policies",
        "match matches matching matched",
        "configure configuration configures",
    ],
)
def test_forms_of_a_word_have_one_stem(forms: str) -> None:
    assert len({stem(word) for word in forms.split()}) == 1


def test_stems_of_different_words_differ() -> None:
    assert (
        len(
            {
                stem(word)
                for word in ["struct", "structure", "bus", "business", "class", "close", "user", "use"]
            }
        )
        == 8
    )


def test_a_camel_case_name_is_found_by_its_words() -> None:
    assert {"hash", "map"} <= set(terms("HashMap"))


any_question = st.text(max_size=60) | st.sampled_from(
    [
        "What is b?",
        "What is py?",
        "How do I h a b c?",
        "When was a?",
        "How many b?",
        "Why x and y?",
        "what is this text",
    ]
)


@settings(max_examples=300, deadline=None)
@given(any_question, st.lists(any_markdown, max_size=4))
def test_quotes_of_any_passages_are_verbatim(question: str, texts: list[str]) -> None:
    matches = [match(text, "a heading") for text in texts]
    given_answer = answer(question, matches)
    assert given_answer == answer(question, matches)
    assert given_answer.abstained == (given_answer.answer == ABSTENTION) == (not given_answer.citations)
    for one in given_answer.citations:
        text = matches[one.match_index].text
        assert 0 <= one.start < one.end <= len(text)
        assert f"“{text[one.start : one.end]}” [{one.marker}]" in given_answer.answer


@settings(max_examples=100, deadline=None)
@given(any_markdown, st.booleans())
def test_a_question_in_a_passages_own_words_is_answered_from_it(text: str, first: bool) -> None:
    sentence = "Wombats digest their food for fourteen days."
    matches = [match(text), match(f"Introduction first. {sentence} Then more.")]
    matches = matches[::-1] if first else matches
    assert sentence in quoted(answer("For how many days do wombats digest food?", matches), matches)


@pytest.mark.skipif(not DATA.is_dir(), reason="the retrieval data is not on this machine")
def test_answerable_questions_score_above_those_without_an_answer() -> None:
    folder = DATA / "retrieval" / "squad2_dev"
    search = Search(paragraphs(read_lines(folder / "docs.jsonl")))
    questions = read_lines(folder / "questions.jsonl")[::25]
    answerable = [ask(search, one) for one in questions if one["answerable"]]
    tricky = [ask(search, one) for one in questions if not one["answerable"]]
    foreign = [ask(search, one, one["doc_id"]) for one in questions if one["answerable"]]
    scores, of_tricky, of_foreign = ([one.score for one in asked] for asked in (answerable, tricky, foreign))
    assert area_under_curve(scores, of_foreign) > 0.9
    assert area_under_curve(scores, of_tricky) > 0.55
    answered = [one for one in answerable if one.answered]
    assert len(answered) > 0.75 * len(answerable)
    assert sum(one.quotes_gold for one in answered) > 0.75 * len(answered)


def _sections(path: Path) -> list[Match]:
    content = path.read_text(encoding="utf-8")
    starts = [0, *(one.start for one in scan(content).top_headings), len(content)]
    return [match(content[one:two], start=one) for one, two in pairwise(starts) if one < two]


@pytest.mark.skipif(not DATA.is_dir(), reason="the Markdown corpus is not on this machine")
def test_the_rust_book_says_how_to_define_a_struct() -> None:
    folder = DATA / "markdown_corpus" / "rust-book"
    matches = [one for path in sorted(folder.glob("ch0[1-6]*.md")) for one in _sections(path)]
    best = sorted(matches, key=lambda one: -len(re.findall(r"\bdefin\w+|\bstructs?\b", one.text)))[:8]
    assert (
        "To define a struct, we enter the keyword `struct`"
        in answer("How do I define a struct?", best).answer
    )
