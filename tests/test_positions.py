"""UTF-16 offsets and LSP positions, against the plain definition of each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.positions import Utf16Text

TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("a \r\n\u0301\U0001f600\U0001f3fd\u200d\u05d0\u2028\x0b")),
    max_size=60,
)


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@given(TEXTS)
def test_an_offset_counts_the_utf16_units_before_the_index(text: str) -> None:
    counted = Utf16Text(text)
    assert [counted.to_utf16(index) for index in range(len(text) + 1)] == [
        sum(units(character) for character in text[:index]) for index in range(len(text) + 1)
    ]
    assert counted.utf16_length == counted.to_utf16(len(text))


@given(TEXTS)
def test_an_offset_leads_back_to_its_index(text: str) -> None:
    counted = Utf16Text(text)
    for index in range(len(text) + 1):
        assert counted.to_index(counted.to_utf16(index)) == index


def test_an_offset_between_the_halves_of_a_pair_means_the_pairs_start() -> None:
    text = Utf16Text("a😀b😀")
    assert [text.to_index(offset) for offset in range(7)] == [0, 1, 1, 2, 3, 3, 4]
    assert text.slice(2, 4) == "😀b"


@pytest.mark.parametrize("text", ["", "ab", "😀"])
def test_places_outside_the_text_are_its_ends(text: str) -> None:
    counted = Utf16Text(text)
    assert (counted.to_index(-5), counted.to_utf16(-5)) == (0, 0)
    assert (counted.to_index(99), counted.to_utf16(99)) == (len(text), counted.utf16_length)


@pytest.mark.parametrize(
    ("line", "character", "index"),
    [
        (0, 0, 0),
        (0, 2, 2),
        (0, 3, 2),  # beyond the line: its end, before CRLF
        (1, 0, 4),
        (1, 1, 4),  # inside the pair
        (1, 2, 5),
        (1, 99, 6),
        (2, 0, 7),  # after CR
        (3, 0, 9),  # after LF
        (3, 1, 9),
        (4, 0, 9),  # no such line: the end
        (99, 99, 9),
        (-1, 7, 0),
        (1, -1, 4),
    ],
)
def test_an_lsp_position_is_clamped_to_its_line_and_the_text(line: int, character: int, index: int) -> None:
    assert Utf16Text("ab\r\n😀c\rd\n").index_at(line, character) == index


def test_an_empty_text_has_one_line() -> None:
    assert (Utf16Text("").line_count, Utf16Text("").position_at(0)) == (1, (0, 0))


@given(TEXTS)
def test_an_index_becomes_a_position_and_comes_back(text: str) -> None:
    counted = Utf16Text(text)
    for index in range(len(text) + 1):
        inside_crlf = text[index - 1 : index + 1] == "\r\n" and index > 0
        line, character = counted.position_at(index)
        assert counted.index_at(line, character) == (index - 1 if inside_crlf else index)


@given(TEXTS)
def test_only_lf_crlf_and_cr_end_a_line(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    counted = Utf16Text(text)
    assert counted.line_count == len(lines)
    starts = [counted.index_at(line, 0) for line in range(len(lines))]
    assert [text[start : start + len(line)] for start, line in zip(starts, lines, strict=True)] == lines


@settings(max_examples=30)
@given(TEXTS, st.integers(-3, 70), st.integers(-3, 70))
def test_a_slice_never_holds_half_a_character(text: str, start: int, end: int) -> None:
    assert Utf16Text(text).slice(start, end) in text
