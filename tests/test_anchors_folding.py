"""What a quotation loses, and the way back to the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.folding import FoldedText, fold

TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("aB \n\t*`“’—ﬁé\u0301\u00a0\u200bß…\U0001f600")), max_size=40
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a  b\r\n c", "a b c"),
        ("non\u00a0breaking", "non breaking"),
        ("“quoted”", "'quoted'"),
        ("don’t", "don't"),
        ("1990–1995 — now", "1990-1995 - now"),
        ("ÉTÉ", "e\u0301te\u0301"),
        ("ﬁne", "fine"),
        ("STRASSE", "straße"),
        ("a **bold** `word`", "a bold word"),
        ("zero\u200bwidth so\u00adft", "zerowidth soft"),
    ],
)
def test_these_are_the_same_when_folded(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("1.5", "15"), ("a-b", "a b"), ("not", "hot"), ("e", "é")])
def test_these_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(TEXTS)
def test_the_way_back_leads_to_what_folds_to_the_same(text: str) -> None:
    folded = FoldedText(text)
    for start in range(len(folded.text)):
        begin, end = folded.source(start, start + 1)
        assert 0 <= begin < end <= len(text)
        assert folded.text[start] in FoldedText(text[begin:end]).text


@given(TEXTS)
def test_places_keep_their_order_on_the_way_back(text: str) -> None:
    folded = FoldedText(text)
    spans = [folded.source(start, start + 1) for start in range(len(folded.text))]
    assert spans == sorted(spans)
    if spans:
        assert folded.source(0, len(folded.text)) == (spans[0][0], spans[-1][1])


@given(TEXTS)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
