"""Joining a second provider's text to the first one's."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.ai.seam import PREFILL_FROM, Seam, prefill_of, squeezed

SENT = "The fox is quick. It jumps over the dog. Then it runs aw"
REST = "ay into the wood. The end."
LINE = "One two three four five six seven eight"


def join(sent: str, *pieces: str, goes_on: bool) -> tuple[str, bool]:
    """What the caller has in the end, and whether it had to drop what it had."""
    seam = Seam(sent, prefill=sent.rstrip() if goes_on else "")
    return joined_by(seam, sent, *pieces)


def joined_by(seam: Seam, sent: str, *pieces: str) -> tuple[str, bool]:
    for index, piece in enumerate(pieces):
        joined = seam.feed(piece)
        if joined is not None:
            rest = "".join(pieces[index + 1 :])
            return ("" if joined.reset else sent) + joined.text + rest, joined.reset
    closed = seam.close()
    assert closed is not None
    return ("" if closed.reset else sent) + closed.text, closed.reset


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SENT + REST, id="starts-anew"),
        pytest.param("\n" + SENT.replace(". ", ".\n\n") + REST, id="starts-anew-with-other-white-space"),
        pytest.param("It jumps over the dog. Then it runs aw" + REST, id="repeats-two-sentences"),
    ],
)
def test_text_that_was_sent_is_left_out(text: str, goes_on: bool) -> None:
    for pieces in ([text], list(text), [text[:3], text[3:20], text[20:]]):
        assert join(SENT, *pieces, goes_on=goes_on) == (SENT + REST, False)


def test_a_provider_that_goes_on_is_followed() -> None:
    for pieces in ([REST], list(REST)):
        assert join(SENT, *pieces, goes_on=True) == (SENT + REST, False)


def test_a_repeated_last_sentence_is_left_out_of_what_goes_on() -> None:
    repeating = "Then it runs aw" + REST
    for pieces in ([repeating], list(repeating)):
        assert join(SENT, *pieces, goes_on=True) == (SENT + REST, False)


def test_other_text_replaces_what_was_sent() -> None:
    other = "A fox, as everybody knows, is a small animal."
    for pieces in ([other], list(other)):
        assert join(SENT, *pieces, goes_on=False) == (other, True)


def test_a_start_that_differs_later_replaces_what_was_sent() -> None:
    other = "The fox is quick. It jumps over the cat."
    assert join(SENT, *other, goes_on=False) == (other, True)
    assert join(SENT, *other, goes_on=True) == (other, True)


def test_a_shorter_answer_replaces_what_was_sent() -> None:
    assert join(SENT, "The fox is quick.", goes_on=False) == ("The fox is quick.", True)


def test_the_same_answer_that_ends_there_adds_nothing() -> None:
    assert join(SENT, SENT, goes_on=False) == (SENT, False)


def test_a_provider_that_goes_on_may_have_nothing_to_add() -> None:
    assert join(SENT, goes_on=True) == (SENT, False)
    assert join(SENT, " \n", goes_on=True) == (SENT, False)


def test_an_empty_answer_to_the_same_question_is_none() -> None:
    assert Seam(SENT).close() is None


@pytest.mark.parametrize(
    ("sent", "written", "whole"),
    [
        (f"{LINE}. ", " Nine.", f"{LINE}. Nine."),
        (f"{LINE}. ", "Nine.", f"{LINE}. Nine."),
        (f"{LINE}.\n", "\n\nNine.", f"{LINE}.\n\nNine."),
        (f"{LINE}. ", "\nNine.", f"{LINE}. \nNine."),
        (f"{LINE}\n", " nine.", f"{LINE}\nnine."),
        (f"{LINE[:-2]}", "ht.", f"{LINE}."),
    ],
)
def test_white_space_at_the_seam_is_not_doubled(sent: str, written: str, whole: str) -> None:
    assert join(sent, written, goes_on=True) == (whole, False)


LIST = (
    "A lighthouse stands on the cliff. Its keeper, who is old, reads every evening.\n\n"
    "- the log of ships\n- the weather\n1. one\n2. A.\n\n## B\n\nWhen fog comes, the horn sounds."
)
CUTS = [cut for cut in range(PREFILL_FROM + 12, len(LIST)) if prefill_of(LIST[:cut])]


@pytest.mark.parametrize("cut", CUTS)
def test_what_goes_on_is_joined_wherever_a_list_broke(cut: int) -> None:
    """It goes on where its prefill ends, repeats the last line of that, or starts anew."""
    sent = LIST[:cut]
    prefill = prefill_of(sent)
    rest = LIST[len(prefill) :]
    last_line = prefill[max(prefill.rfind("\n"), prefill.rfind(". ")) + 1 :]
    for written in (rest, rest.lstrip(), last_line + rest, LIST):
        for pieces in ([written], list(written)):
            text, _ = joined_by(Seam(sent, prefill=prefill), sent, *pieces)
            assert squeezed(text) == squeezed(LIST)
            assert text.count("\n") >= LIST.count("\n") - 2 * (written == rest.lstrip())


def test_what_had_hardly_begun_is_not_given_to_go_on_from() -> None:
    sent = f"{LINE}.\n- one of several\n-"
    assert prefill_of(sent) == f"{LINE}.\n- one of several"
    assert prefill_of(f"{LINE}.\n- one of several\n- two ") == f"{LINE}.\n- one of several\n- two"
    assert prefill_of("-") == ""


@pytest.mark.parametrize("written", ["* two", "\n* two"])
def test_another_end_than_what_had_hardly_begun_replaces_it(written: str) -> None:
    before = f"{LINE}.\n- one of several"
    seam = Seam(f"{before}\n-", prefill=before)
    assert joined_by(seam, f"{before}\n-", written) == (f"{before}\n* two", True)
    ended = Seam(f"{before}\n-", prefill=before)
    assert joined_by(ended, f"{before}\n-") == (before, True)


def test_a_text_that_repeats_itself_may_go_on_doing_so() -> None:
    refrain = "And round and round it goes.\n"
    assert join(refrain * 3, refrain, "Stop.", goes_on=True) == (refrain * 4 + "Stop.", False)


words = st.lists(st.from_regex(r"[a-z]{2,8}[.,]?", fullmatch=True), min_size=12, max_size=40, unique=True)
spaces = st.sampled_from([" ", "\n", "  ", "\n\n"])


@st.composite
def broken_answers(draw: st.DrawFn) -> tuple[str, int, list[int]]:
    """A text, where it broke, and the text again in pieces."""
    text = "".join(word + draw(spaces) for word in draw(words)).strip()
    assume(len(squeezed(text)) > PREFILL_FROM + 8)
    cut = draw(st.integers(len(text) - len(text[PREFILL_FROM:].rstrip()) + 4, len(text)))
    assume(len(squeezed(text[:cut])) >= PREFILL_FROM)
    return text, cut, sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))


def in_pieces(text: str, cuts: list[int]) -> list[str]:
    return [text[start:end] for start, end in pairwise([0, *cuts, max([len(text), *cuts])])]


@given(broken_answers(), st.booleans())
def test_a_fresh_start_is_joined_without_a_doubled_or_lost_character(
    broken: tuple[str, int, list[int]], goes_on: bool
) -> None:
    text, cut, cuts = broken
    assert join(text[:cut], *in_pieces(text, cuts), goes_on=goes_on) == (text, False)


@given(broken_answers())
def test_a_continuation_is_joined_without_a_doubled_or_lost_character(
    broken: tuple[str, int, list[int]],
) -> None:
    text, cut, cuts = broken
    prefill = text[:cut].rstrip()
    rest = text[len(prefill) :]
    assert join(text[:cut], *in_pieces(rest, cuts), goes_on=True) == (text, False)


@given(st.text("ab. \n", min_size=1), st.lists(st.text("ab. \n")), st.booleans())
def test_what_is_added_is_always_the_end_of_what_was_written(
    sent: str, pieces: list[str], goes_on: bool
) -> None:
    seam = Seam(sent, prefill=sent.rstrip() if goes_on else "")
    written = ""
    for piece in pieces:
        written += piece
        if joined := seam.feed(piece):
            break
    else:
        joined = seam.close()
    assert joined is None or written.endswith(joined.text)
