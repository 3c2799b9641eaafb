"""Anchors are true: they stand where they say, or are declared stale."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.anchors import CONTEXT, MAX_CONTEXT, make_anchor, verify
from shared.text.positions import Utf16Text
from shared.text.rebasing import Rebased, rebase
from shared.types import Anchor, Position, Quote
from tests.edited_texts import Edited, is_wrong, rearranged, rewritten, scattered

TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("ab \n\r\u0301\U0001f600\U0001f3fd\u200d\u05d0\u0628"),
    ),
    max_size=80,
)


def anchor_of(text: Utf16Text, start: int, end: int) -> Anchor:
    return make_anchor(text, start, end, content_hash="old", document_id="doc")


def anchor_on(content: str, quote: str) -> Anchor:
    start = content.index(quote)
    return anchor_of(Utf16Text(content), start, start + len(quote))


def rebased(anchor: Anchor, content: str) -> Rebased:
    return rebase([anchor], Utf16Text(content), content_hash="new")[0]


def utf16_slice(text: str, position: Position) -> str:
    encoded = text.encode("utf-16-le", "surrogatepass")
    return encoded[2 * position.start : 2 * position.end].decode("utf-16-le", "surrogatepass")


def test_an_anchor_counts_in_utf16_and_keeps_its_surroundings() -> None:
    text = Utf16Text("😀 one two three")
    anchor = anchor_of(text, 6, 9)
    assert anchor == Anchor("old", Position(7, 10), Quote("two", "😀 one ", " three"), "doc")


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 1), (-1, 2), (0, 5)])
def test_an_anchor_on_no_text_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no text"):
        anchor_of(Utf16Text("abcd"), start, end)


def test_surroundings_tear_no_character_apart() -> None:
    family = "👩\u200d👩\u200d👧"
    content = family + "e\u0301" * CONTEXT + "!" + "\r\n" * CONTEXT
    anchor = anchor_on(content, "!")
    assert anchor.quote.prefix.startswith("e")
    assert anchor.quote.suffix.endswith("\n")
    wide = anchor_on("x" + family + "y" * (CONTEXT - 2) + "!", "!")
    assert wide.quote.prefix.startswith("y")


@given(TEXTS.filter(bool), st.data())
def test_a_new_anchor_verifies_and_its_units_are_the_quote(content: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))
    anchor = anchor_of(Utf16Text(content), start, end)
    assert verify(Utf16Text(content), anchor)
    assert utf16_slice(content, anchor.position) == anchor.quote.exact == content[start:end]


@pytest.mark.parametrize(
    "anchor",
    [
        Anchor("h", Position(0, 0), Quote("")),
        Anchor("h", Position(1, 3), Quote("ab")),  # shifted
        Anchor("h", Position(0, 3), Quote("ab")),  # longer than its quote
        Anchor("h", Position(-1, 1), Quote("a")),
        Anchor("h", Position(3, 4), Quote("c")),  # begins inside a pair
        Anchor("h", Position(90, 92), Quote("ab")),
    ],
)
def test_an_anchor_that_does_not_stand_is_not_verified(anchor: Anchor) -> None:
    assert not verify(Utf16Text("ab😀c"), anchor)


# --- rebasing ------------------------------------------------------------------------------------

OLD = "Intro text here.\n\nThe cache holds 64 entries by default.\n\nThe end of it all."


def test_an_anchor_on_unchanged_text_is_unchanged_and_names_the_new_content() -> None:
    anchor = anchor_on(OLD, "64 entries")
    result = rebased(anchor, OLD)
    assert result.status == "unchanged"
    assert result.anchor == Anchor("new", anchor.position, anchor.quote, "doc")


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ("😀 More.\n\n" + OLD, "moved"),
        (OLD.replace("Intro text here.\n\n", ""), "moved"),
        (OLD.replace("holds", "can hold"), "moved"),  # next to the quote
        (OLD.replace("by default", "at first"), "unchanged"),
        (OLD.replace("64", "65"), "stale"),
        (OLD.replace("The cache holds 64 entries by default.", ""), "stale"),
        ("", "stale"),
    ],
)
def test_an_anchor_follows_its_words_or_is_stale(new: str, status: str) -> None:
    result = rebased(anchor_on(OLD, "64 entries"), new)
    assert result.status == status
    if result.anchor:
        assert utf16_slice(new, result.anchor.position) == "64 entries"


def test_of_repeated_words_the_same_ones_are_found_again() -> None:
    old = "First: press the key. Then wait.\nSecond: press the key. Then leave.\n"
    second = old.rindex("press the key")
    anchor = anchor_of(Utf16Text(old), second, second + 13)
    new = "Zeroth: press the key. Then sit.\n" + old
    result = rebased(anchor, new)
    assert result.anchor is not None
    assert result.anchor.position.start == new.rindex("press the key")


def test_words_whose_own_place_is_gone_do_not_jump_to_others() -> None:
    old = "Choose the red one if you are in doubt.\nTake the blue one."
    anchor = anchor_on(old, "the")
    assert rebased(anchor, "Completely different.\nTake the blue one.").status == "stale"


def test_a_moved_paragraph_is_found_though_all_around_it_has_changed() -> None:
    paragraph = "A paragraph that is long enough to be known again."
    old = f"One.\n\n{paragraph}\n\nThree."
    new = f"Everything else was written anew, at length.\n\n{paragraph}\n\nAlso what follows."
    assert rebased(anchor_on(old, paragraph), new).status == "moved"


def test_places_that_look_the_same_are_stale_unless_neighbours_tell() -> None:
    row = "| yes | no | perhaps | never | sometimes |\n"
    old = "The head of it\n" + row * 200 + "A foot that is told apart.\n"
    new = "Before it.\n" + old
    middle = len("The head of it\n") + 100 * len(row) + 2
    tied = anchor_of(Utf16Text(old), middle, middle + 3)
    head, foot = anchor_on(old, "The head of it"), anchor_on(old, "A foot that is told")
    assert [result.status for result in rebase([tied, foot], Utf16Text(new), content_hash="new")] == [
        "stale", "moved",
    ]  # fmt: skip
    results = rebase([head, tied, foot], Utf16Text(new), content_hash="new")
    assert results[1].anchor is not None
    assert results[1].anchor.position.start == middle + len("Before it.\n")


def test_a_row_like_all_others_is_not_unchanged_because_another_has_come_to_its_place() -> None:
    row = "| yes | no | perhaps | never | sometimes |\n"
    old = "Head\n" + row * 200
    middle = len("Head\n") + 100 * len(row) + 2
    tied = anchor_of(Utf16Text(old), middle, middle + 3)
    assert rebased(tied, "Head\n" + row * 199).status == "stale"


def test_an_anchor_of_this_very_text_is_unchanged_though_all_rows_are_alike() -> None:
    content = "| yes | no | perhaps | never | sometimes |\n" * 200
    anchor = anchor_of(Utf16Text(content), 1000, 1003)
    assert rebase([anchor], Utf16Text(content), content_hash="old")[0] == Rebased(anchor, "unchanged")


def test_an_anchor_keeps_as_much_of_its_surroundings_as_tells_it_apart_on_either_side() -> None:
    same = "The same words stand in both of the two sections, and go on for quite a while, word by word. "
    content = f"First. {same}End of the first.\n\nSecond. {same}End of the second.\n"
    start = content.rindex("go on")
    quote = anchor_of(Utf16Text(content), start, start + 5).quote
    assert content.count(quote.prefix + quote.exact) == content.count(quote.exact + quote.suffix) == 1
    assert CONTEXT < len(quote.prefix) <= MAX_CONTEXT


def test_an_anchor_whose_paragraph_is_gone_does_not_go_to_the_same_words_elsewhere() -> None:
    same = "Choose Create. On the next page, enter a name for the role and choose Next to go on. "
    old = f"# Roles\n\n{same}Then attach a policy to it.\n\n# Users\n\n{same}Then add them to a group.\n"
    new = old.replace(f"{same}Then attach a policy to it.", "This section has been written anew.")
    assert rebased(anchor_on(old, "enter a name"), new).status == "stale"


def test_anchors_of_several_versions_do_not_speak_for_each_other() -> None:
    row = "| yes | no | perhaps | never | sometimes |\n"
    old = "Head\n" + row * 200 + "A foot that is told apart.\n"
    middle = len("Head\n") + 100 * len(row) + 2
    tied = anchor_of(Utf16Text(old), middle, middle + 3)
    shorter = old.replace(row, "", 3)
    foot = make_anchor(
        Utf16Text(shorter),
        shorter.index("A foot"),
        shorter.index(" that"),
        content_hash="another",
        document_id="doc",
    )
    results = rebase([tied, foot], Utf16Text("A longer head\n" + old[5:]), content_hash="new")
    assert [result.status for result in results] == ["stale", "moved"]


TWIN = "Press the red key until the lamp goes out, then let it go and wait for the tone."


def test_an_anchor_does_not_leave_its_neighbours_for_a_twin_elsewhere() -> None:
    far = "".join(f"Line {number} between the two.\n" for number in range(20))
    old = f"The first of all lines.\n{TWIN}\nThe third line.\n{far}{TWIN}\nThe last of all lines."
    new = old.replace("until the lamp goes out, then", "till the lamp is out, now", 1)
    first, anchor, third = (anchor_on(old, quote) for quote in ("first of all", "lamp", "third line"))
    assert rebased(anchor, new).status == "stale"
    results = rebase([first, anchor, third], Utf16Text(new), content_hash="new")
    assert [result.status for result in results] == ["unchanged", "stale", "moved"]


def test_a_paragraph_may_leave_its_neighbours_when_nothing_of_it_stays() -> None:
    far = "".join(f"Line {number} between the two.\n" for number in range(20))
    old = f"The first of all lines.\n{TWIN}\nThe third line.\n{far}"
    new = f"The first of all lines.\nThe third line.\n{far}{TWIN}\n"
    anchors = [
        anchor_on(old, quote) for quote in ("first of all", "red key until the lamp goes", "third line")
    ]
    results = rebase(anchors, Utf16Text(new), content_hash="new")
    assert [result.status for result in results] == ["unchanged", "moved", "moved"]


LONG_TWIN = (
    "Open the cover and look for the lamp. Press the red key until the lamp goes out, "
    "then let it go and wait for the tone. Close the cover again, and note the time.\n"
)


def of_32_characters(content: str, quote: str) -> Anchor:
    """The first place with these words, as a program makes an anchor that does not ask whether it tells."""
    start = content.index(quote)
    end = start + len(quote)
    surroundings = content[max(0, start - 32) : start], content[end : end + 32]
    return Anchor("old", Position(start, end), Quote(quote, *surroundings), "doc")


@pytest.mark.parametrize(
    ("edited", "instead"),
    [
        ("until the lamp goes out", "while the lamp is on"),  # in the quote
        ("until the lamp goes out, then let", "while it is on, then let"),  # in the quote, and after it
        ("the red key until the lamp", "a lamp"),  # in the quote, and before it
        ("wait for the tone", "go away"),  # after it
    ],
)
def test_an_anchor_that_two_places_fit_does_not_go_to_the_twin_of_the_one_that_was_edited(
    edited: str, instead: str
) -> None:
    far = "".join(f"Line {number} between the two.\n" for number in range(20))
    old = f"The first of all lines.\n{LONG_TWIN}{far}{LONG_TWIN}The last of all lines."
    first, last = anchor_on(old, "first of all"), anchor_on(old, "last of all")
    anchor = of_32_characters(old, "key until the lamp goes out")
    assert old.count(anchor.quote.prefix + anchor.quote.exact + anchor.quote.suffix) == 2
    new = old.replace(edited, instead, 1)
    results = rebase([first, anchor, last], Utf16Text(new), content_hash="new")
    assert results[1].anchor is None or results[1].anchor.position.start < new.index("Line 0")
    assert [results[0].status, results[2].status] == ["unchanged", "moved"]


def test_a_paragraph_that_is_moved_past_its_neighbours_is_not_taken_for_a_twin() -> None:
    far = "".join(f"Line {number} between the two.\n" for number in range(20))
    old = f"The first of all lines.\n{LONG_TWIN}{far}The last of all lines, and the end."
    new = f"The first of all lines.\n{far}{LONG_TWIN}The last of all lines, and the end."
    anchor = of_32_characters(old, "key until the lamp goes out")
    first, last = anchor_on(old, "first of all"), anchor_on(old, "last of all")
    results = rebase([first, anchor, last], Utf16Text(new), content_hash="new")
    assert [result.status for result in results] == ["unchanged", "moved", "unchanged"]


def test_an_anchor_of_this_very_text_comes_back_with_surroundings_that_tell_it_apart() -> None:
    far = "".join(f"Line {number} between the two.\n" for number in range(20))
    content = f"The first of all lines.\n{LONG_TWIN}{far}{LONG_TWIN}The last of all lines."
    anchor = of_32_characters(content, "key until the lamp goes out")
    [result] = rebase([anchor], Utf16Text(content), content_hash="old")
    assert result == Rebased(anchor_on(content, "key until the lamp goes out"), "unchanged")
    assert rebased(result.anchor or anchor, content.replace(LONG_TWIN, "Gone.\n", 1)).status == "stale"


@pytest.mark.parametrize(
    "anchor",
    [
        Anchor("h", Position(0, 0), Quote("")),
        Anchor("h", Position(5, 2), Quote("zz")),
        Anchor("h", Position(-7, 10**9), Quote("zz", "a" * 99, "b" * 99)),
        Anchor("h", Position(0, 1), Quote("e")),  # one letter of many, without surroundings, elsewhere
    ],
)
def test_an_anchor_that_says_nothing_is_stale(anchor: Anchor) -> None:
    assert rebased(anchor, OLD).status == "stale"


def test_anchors_come_back_in_their_order() -> None:
    anchors = [anchor_on(OLD, word) for word in ("The end", "Intro", "cache holds")]
    results = rebase(anchors, Utf16Text("Oh! " + OLD), content_hash="new")
    assert [result.anchor.quote.exact for result in results if result.anchor] == [
        "The end", "Intro", "cache holds",
    ]  # fmt: skip


@settings(max_examples=300)
@given(TEXTS.filter(bool), TEXTS, st.data())
def test_whatever_the_edit_an_anchor_that_is_not_stale_is_true(
    content: str, inserted: str, data: st.DataObject
) -> None:
    old = Utf16Text(content)
    places = data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(1, 12)), min_size=1, max_size=5)
    )
    anchors = [anchor_of(old, start, min(len(content), start + length)) for start, length in places]
    cut = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(cut, len(content)))
    new = content[:cut] + inserted + content[stop:]
    for anchor, result in zip(anchors, rebase(anchors, Utf16Text(new), content_hash="new"), strict=True):
        assert (result.anchor is None) == (result.status == "stale")
        if result.anchor:
            assert utf16_slice(new, result.anchor.position) == anchor.quote.exact
            assert result.anchor.quote.exact == anchor.quote.exact
            assert (result.status == "unchanged") == (result.anchor.position == anchor.position)


SENTENCES = st.lists(st.integers(0, 10**6), min_size=3, max_size=12, unique=True)


@settings(max_examples=150)
@given(SENTENCES, st.data())
def test_an_edit_elsewhere_never_loses_or_misplaces_an_anchor(
    numbers: list[int], data: st.DataObject
) -> None:
    sentences = [f"Sentence number {number} says what it says, as {number} does.\n" for number in numbers]
    chosen = data.draw(st.integers(0, len(sentences) - 1))
    edited = data.draw(st.integers(0, len(sentences) - 1).filter(lambda one: abs(one - chosen) > 1))
    old = "".join(sentences)
    start = sum(map(len, sentences[:chosen]))
    anchor = anchor_of(Utf16Text(old), start, start + len(sentences[chosen]) - 1)
    sentences[edited] = data.draw(st.sampled_from(["", "Something new. 😀\n", sentences[edited] * 2]))
    result = rebased(anchor, "".join(sentences))
    assert result.anchor is not None
    assert result.anchor.position.start == Utf16Text("".join(sentences)).to_utf16(
        sum(map(len, sentences[:chosen]))
    )


# --- never at a twin's place ---------------------------------------------------------------------

STEPS = (
    "Choose Create.",
    "Enter a name.",
    "Choose Next.",
    "Wait for the lamp.",
    "Then go on with the next page.",
)


def sections_alike(chance: Random) -> str:
    """A manual that repeats itself: each section has a title of its own and steps that others have too."""
    return "".join(
        f"## Section {number}\n\n"
        + "\n\n".join(chance.choices(STEPS, k=4))
        + f"\n\nSee page {number * 7}.\n\n"
        for number in range(40)
    )


@pytest.mark.parametrize("edit", [scattered, rearranged, rewritten])
@pytest.mark.parametrize("together", [True, False], ids=["together", "alone"])
@pytest.mark.parametrize("seed", range(4))
def test_no_anchor_goes_to_a_twin_of_its_words(
    edit: Callable[[str, int, Random], Edited], seed: int, together: bool
) -> None:
    chance = Random(seed)
    edited = edit(sections_alike(chance), 12, chance)
    old, new, places = Utf16Text(edited.old), Utf16Text(edited.new), edited.places()
    starts = [chance.randrange(len(old.text) - 60) for _ in range(150)]
    spans = [(start, start + chance.randrange(3, 60)) for start in starts]
    anchors = [anchor_of(old, *span) for span in spans]
    groups = [anchors] if together else [[anchor] for anchor in anchors]
    results = [result for group in groups for result in rebase(group, new, content_hash="new")]
    kept = [(span, one.anchor) for span, one in zip(spans, results, strict=True) if one.anchor]
    assert len(kept) > 60
    wrong = [span for span, anchor in kept if is_wrong(places, span, new.to_index(anchor.position.start))]
    assert wrong == []


@settings(max_examples=100)
@given(TEXTS.filter(bool), TEXTS, TEXTS, st.data())
def test_an_anchor_that_was_mapped_on_is_as_good_as_one_made_there(
    content: str, before: str, after: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))
    new = Utf16Text(before + content + after)
    result = rebased(anchor_of(Utf16Text(content), start, end), new.text)
    if result.anchor:
        assert verify(new, result.anchor)
        place = new.to_index(result.anchor.position.start)
        quote = result.anchor.quote
        assert new.text.endswith(quote.prefix, 0, place)
        assert new.text.startswith(quote.suffix, place + len(quote.exact))


def test_a_thousand_anchors_in_a_megabyte_are_mapped_on() -> None:
    chance = Random(7)
    text = "".join(f"Line {number} says {chance.random()} of it.\n" for number in range(28_000))
    old, new = Utf16Text(text), Utf16Text("😀 In front.\n" + text)
    assert len(text) > 1_000_000
    starts = [chance.randrange(len(text) - 60) for _ in range(1000)]
    anchors = [anchor_of(old, start, start + 40) for start in starts]
    results = rebase(anchors, new, content_hash="new")
    moved = [
        one.anchor.position.start - start for one, start in zip(results, starts, strict=True) if one.anchor
    ]
    assert moved == [len("😀 In front.\n") + 1] * 1000
