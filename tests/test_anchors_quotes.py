"""Locating what a model quotes: the document's own words, or nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.anchors import locate
from shared.text.positions import Utf16Text
from tests.misquotes import KINDS, passage, stands_in

GUIDE = Utf16Text(
    "# Storage\n\n"
    "The **write-ahead** log is flushed every 200 ms — “at most”, that is.\n"
    "Readers never block writers, and writers\n  never block readers.\n\n"
    "## Limits\n\n"
    "A request may hold 64 keys. A reply may hold 64 keys. A batch may hold 128 keys.\n"
    "Restart the server to apply the changes.\n\n"
    "## Upgrading\n\n"
    "Stop all clients first. Restart the server to apply the changes.\n"
)


def found(quote: str, *, prefix: str = "", suffix: str = "", near: int | None = None) -> str | None:
    span = locate(GUIDE, quote, prefix=prefix, suffix=suffix, near=near)
    return None if span is None else GUIDE.text[slice(*span)]


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ("Readers never block writers", "Readers never block writers"),
        ("  Readers never block writers\n", "Readers never block writers"),
        ("readers never block writers, and writers never block readers.",
         "Readers never block writers, and writers\n  never block readers."),
        ('the write-ahead log is flushed every 200 ms - "at most"',
         "The **write-ahead** log is flushed every 200 ms — “at most”"),
        ("Readers never blocks writers, and writer never block readers",
         "Readers never block writers, and writers\n  never block readers"),
        ("The write ahead log is flushd every 200 ms", "The **write-ahead** log is flushed every 200 ms"),
    ],
)  # fmt: skip
def test_a_quote_is_located_by_the_documents_own_words(quote: str, words: str) -> None:
    assert found(quote) == words


@pytest.mark.parametrize(
    "quote",
    [
        "",
        " \n",
        "Readers always block everyone and everything",  # says something else
        "The write-ahead log is flushed every 300 ms",  # numbers are not typos
        "A batch may hold 129 keys.",
        "Limitz",  # too short to be compared by likeness
        "IMIT",  # inside a word, and not as written there
        "…",
        "x" * 100_000,
    ],
)
def test_what_cannot_be_located_has_no_place(quote: str) -> None:
    assert found(quote) is None


def test_a_repeated_quote_without_surroundings_has_no_place() -> None:
    assert found("Restart the server to apply the changes.") is None
    assert found("restart the server to apply the CHANGES.") is None
    assert found("Restart the servr to apply the changes.") is None


@pytest.mark.parametrize(
    "quote", ["Restart the server to apply", "restart the server to APPLY", "Restart the servr to apply"]
)
def test_surroundings_tell_repeated_quotes_apart(quote: str) -> None:
    first = GUIDE.text.index("Restart")
    last = GUIDE.text.rindex("Restart")
    length = len("Restart the server to apply")
    assert locate(GUIDE, quote, prefix="128 keys.\n") == (first, first + length)
    assert locate(GUIDE, quote, prefix="clients  first. ") == (last, last + length)
    assert locate(GUIDE, quote, suffix=" the changes.\n\n## Upgrading") == (first, first + length)


def test_surroundings_that_fit_neither_tell_nothing() -> None:
    assert found("may hold 64 keys", prefix="Nothing like this stands there") is None


def test_nearness_tells_repeated_quotes_apart() -> None:
    last = GUIDE.text.rindex("Restart")
    span = locate(GUIDE, "Restart the server", near=last + 30)
    assert span == (last, last + len("Restart the server"))


def test_a_place_as_near_as_another_is_not_chosen() -> None:
    assert locate(Utf16Text("same same same"), "same", near=4) == (5, 9)
    assert locate(Utf16Text("ab xx ab"), "ab", near=3) is None


def test_surroundings_go_before_nearness() -> None:
    first = GUIDE.text.index("Restart")
    span = locate(GUIDE, "Restart the server", prefix="may hold 128 keys.\n", near=len(GUIDE.text))
    assert span == (first, first + len("Restart the server"))


def test_a_whole_word_goes_before_a_part_of_one() -> None:
    text = Utf16Text("restarting, start, restart")
    assert locate(text, "start") == (12, 17)


def test_a_verbatim_quote_may_end_inside_a_word() -> None:
    assert locate(Utf16Text("configuration"), "config") == (0, 6)


def test_a_letter_is_not_torn_from_its_accent() -> None:
    text = Utf16Text("cafe\u0301 and cafe")
    assert locate(text, "cafe") == (10, 14)


def test_a_quote_that_occurs_everywhere_has_no_place_and_takes_no_time() -> None:
    assert locate(Utf16Text("ab " * 100_000), "ab") is None
    assert locate(Utf16Text("word " * 50_000), "word worb word word") is None


@pytest.mark.parametrize("length", [20, 60, 150, 400, 1500])
def test_a_quote_with_wrong_characters_is_located_however_long(length: int) -> None:
    letters = "bcdfghjklm"
    names = ["".join(letters[int(digit)] + "a" for digit in str(number * 7919)) for number in range(500)]
    content = " and ".join(names)
    start = content.index(" ", 1000) + 1
    end = content.index(" ", start + length)
    quote = content[start:end]
    for place in range(9, len(quote) - 3, 41):
        quote = quote[:place] + "x" + quote[place + 1 :]
    span = locate(Utf16Text(content), quote, near=start)
    assert span == (start, end)


def test_text_without_spaces_is_located_by_likeness() -> None:
    text = Utf16Text("我们的系统可以分析文档并回答问题。同时它会给出引用的出处。")
    span = locate(text, "系统可以分析文件并回答问题。同时它会给出")
    assert span is not None
    assert text.text[slice(*span)] == "系统可以分析文档并回答问题。同时它会给出"


WORDS = st.lists(
    st.sampled_from(
        ["alpha", "béta", "γάμμα", "😀", "**delta**", "42", "“ok”", "e\u0301", "\r\n", "—", "and"]
    ),
    min_size=1,
    max_size=30,
).map(" ".join)


@settings(max_examples=200)
@given(WORDS, st.data())
def test_a_place_is_always_inside_the_text_and_not_empty(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    quote = data.draw(st.sampled_from([text[start:end], text[start:end].upper(), text[start:end] + "x"]))
    span = locate(Utf16Text(text), quote, prefix=text[:start][-20:], suffix=text[end:][:20])
    if span is not None:
        assert 0 <= span[0] < span[1] <= len(text)


@settings(max_examples=200)
@given(WORDS, st.data())
def test_a_verbatim_quote_that_stands_once_is_found_there(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    quote = text[start:end]
    once = text.find(quote) == text.rfind(quote)
    if once and quote.strip():
        assert locate(Utf16Text(text), quote) == (start, end)


@pytest.mark.parametrize(
    "quote",
    [
        "Readers never block any of the writers, and writers never block readers",  # words more
        "The write-ahead log is not flushed every 200 ms",
        "Readers always block writers, and writers always block readers",
        "Writers never block readers, and readers never block writers",
        "Restart the client to apply the changes",
        "The read-ahead log is flushed every 200 ms",
    ],
)
def test_a_quote_with_other_words_has_no_place_though_it_looks_alike(quote: str) -> None:
    assert found(quote, near=0) is None


def test_words_that_look_alike_and_mean_the_contrary_are_no_slips() -> None:
    text = Utf16Text("The option enables the cache of all mutable values that come from the network.")
    assert locate(text, "The option disables the cache of all mutable values") is None
    assert locate(text, "The option enables the cache of all immutable values") is None
    assert locate(text, "The optoin enables the cache of all mutable valus") is not None


def test_the_second_best_place_does_not_win_because_the_best_says_something_else() -> None:
    text = Utf16Text(
        "A cached reply of the server is kept for a while.\nA cached reply of the server is not kept."
    )
    assert locate(text, "A cached reply of the server isn't kept for a whle.") is None


def test_surroundings_decide_also_for_a_quote_that_ends_inside_a_word() -> None:
    text = Utf16Text("We test the functionality here. The API of the function.")
    assert locate(text, "the function", prefix="We test ", suffix="ality here") == (8, 20)
    assert locate(text, "the function") == (43, 55)


VOCABULARY = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "is",
    "not",
    "never",
    "“quoted”",
    "*marked*",
    "`coded`",
    "17",
    "2024",
    "of",
)
DROPPED = ("repeated, alone", "another number", "a not more or less", "another word", "of another document")


def a_text(name: str, chance: Random) -> Utf16Text:
    lines = (
        f"{name} {number} of it says: {' '.join(chance.choices(VOCABULARY, k=9))}, {chance.random()}.\n"
        for number in range(300)
    )
    return Utf16Text("".join(lines))


@pytest.mark.parametrize("kind", KINDS)
def test_a_quote_leads_to_its_own_passage_or_nowhere(kind: str) -> None:
    chance = Random(kind)
    text, other = a_text("Line", chance), a_text("Row", chance)
    searched = other if kind == "of another document" else text
    spans = (passage(text.text, chance) for _ in range(60))
    quotes = [one for one in (KINDS[kind](text.text, span, chance) for span in spans) if one]
    quotes = [one for one in quotes if searched is text or not stands_in(other.text, one.quote)]
    found = [(one, locate(searched, one.quote, prefix=one.prefix, suffix=one.suffix)) for one in quotes]
    located = [(one, span) for one, span in found if span]
    assert quotes
    assert all(one.is_at(span) for one, span in located)
    assert bool(located) == (kind not in DROPPED)
