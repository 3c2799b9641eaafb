"""Suggestions are taken apart while they stream and fit their place when they are whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.cursor import CursorContext, cursor_context
from shared.text.suggestion_tail import TailHolder
from shared.text.suggestions import SEPARATOR, HeadTrimmer, SuggestionSplitter, clean_suggestion


def at(text: str) -> CursorContext:
    """The context at the ‸ of a text."""
    return cursor_context(text.replace("‸", ""), text.index("‸"))


def cut(text: str, places: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(borders)]


# --- taking apart ---------------------------------------------------------------------------------


def split(text: str, count: int = 3, cursor: CursorContext | None = None) -> tuple[str, ...]:
    splitter = SuggestionSplitter(count, cursor)
    splitter.feed(text)
    splitter.finish()
    return splitter.texts


@pytest.mark.parametrize(
    ("text", "suggestions"),
    [
        (f"One.\n{SEPARATOR}\nTwo.\n{SEPARATOR}\nThree.\n", ("One.", "Two.", "Three.")),
        (f"One.{SEPARATOR}Two.", ("One.", "Two.")),
        (f"One.\r\n{SEPARATOR}\r\nTwo.\r\n", ("One.", "Two.")),
        ("One.\n<<<next>>>\nTwo.", ("One.", "Two.")),
        ("Only one.", ("Only one.",)),
        (f"\n{SEPARATOR}\n\n{SEPARATOR}\nOne.\n{SEPARATOR}\n", ("One.",)),
        (f"1\n{SEPARATOR}\n2\n{SEPARATOR}\n3\n{SEPARATOR}\n4", ("1", "2", "3")),
        ("1. First.\n2. Second.\n3. Third.", ("First.", "Second.", "Third.")),
        ("1) First.\n\n2) Second\n   goes on.\n", ("First.", "Second\ngoes on.")),
        (f"1. First.\n{SEPARATOR}\n2. Second.", ("First.", "Second.")),
        (f"1. Do.\n2. Run.\n{SEPARATOR}\n1. Sit.\n2. Eat.", ("1. Do.\n2. Run.", "1. Sit.\n2. Eat.")),
        ("Suggestion 1: One.\nSuggestion 2: Two.", ("One.", "Two.")),
        ("**Option A:** One.\n\n**Option B:** Two.", ("One.", "Two.")),
        ("### Suggestion 1\nOne.\n\n### Suggestion 2\nTwo.", ("One.", "Two.")),
        (f"**Suggestion 1:**\nOne.\n{SEPARATOR}\n**Suggestion 2:**\nTwo.", ("One.", "Two.")),
        ("Here are three suggestions:\n\n1. One.\n2. Two.", ("One.", "Two.")),
        (f"Sure! Here are 2 options:\nOne.\n{SEPARATOR}\nTwo.", ("One.", "Two.")),
        ("Here are the steps to install it:\n\n- Run.", ("Here are the steps to install it:\n\n- Run.",)),
        ("Suggestions are welcome.", ("Suggestions are welcome.",)),
        ("Version 2.0 is faster.", ("Version 2.0 is faster.",)),
        (f"```markdown\nOne.\n{SEPARATOR}\nTwo.\n```", ("One.", "Two.")),
        ("```markdown\nOne.\n```\n\n```markdown\nTwo.\n```\nEnjoy!", ("One.", "Two.")),
        (f"```markdown\nRun:\n```sh\nls\n```\n```\n{SEPARATOR}\nTwo.", ("Run:\n```sh\nls\n```", "Two.")),
        (f"```sh\nls\n```\n{SEPARATOR}\nTwo.", ("```sh\nls\n```", "Two.")),
        (f'"One."\n{SEPARATOR}\n“Two.”', ("One.", "Two.")),
        ('"One" and "two" differ.', ('"One" and "two" differ.',)),
        ("", ()),
        (" \n ", ()),
    ],
)
def test_suggestions_are_found_in_whatever_form_a_model_gives_them(
    text: str, suggestions: tuple[str, ...]
) -> None:
    assert split(text) == suggestions


def test_numbers_are_content_where_the_cursor_is_in_a_numbered_list_or_one_text_is_wanted() -> None:
    assert split("1. One.\n2. Two.", cursor=at("1. a\n2. b‸")) == ("1. One.\n2. Two.",)
    assert split("1. One.\n2. Two.", count=1) == ("1. One.\n2. Two.",)


def test_a_fence_is_wrapping_where_the_cursor_is_in_code() -> None:
    assert split("```python\n    return 1\n```", 1, at("```python\ndef f():\n‸\n```")) == ("    return 1",)


def test_text_is_given_on_as_soon_as_it_is_certain() -> None:
    splitter = SuggestionSplitter(3)
    assert splitter.feed("The build ") == [(0, "The build")]
    assert splitter.feed("runs <b>twice</b> and <") == [(0, " runs <b>twice</b> and")]
    assert splitter.feed("<<NE") == []
    assert splitter.feed("ARLY it.\n<<<NEXT>>>\nThen") == [(0, " <<<NEARLY it."), (1, "Then")]
    assert splitter.feed(" stop.\n") == [(1, " stop.")]
    assert splitter.finish() == []
    assert splitter.texts == ("The build runs <b>twice</b> and <<<NEARLY it.", "Then stop.")


PIECES = (
    SEPARATOR,
    f"\n{SEPARATOR}\n",
    "<<<NE",
    "<<<next>>>",
    "\n1. ",
    "1. ",
    "\n2. ",
    "\n3) ",
    "Suggestion 1: ",
    "\nSuggestion 2:\n",
    "\n**Option B:** ",
    "Here are three suggestions:\n",
    "Sure!\n",
    "```markdown\n",
    "\n```",
    "\n```\n",
    "```sh\n",
    "~~~\n",
    "`",
    '"',
    "“",
    "”",
    "\n",
    "\n\n",
    "\r\n",
    " ",
    "   ",
    "text",
    "Text. ",
    "é😀",
    "****",
    "# ",
)
ANSWERS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=25).map("".join)
PLACES = st.lists(st.integers(0, 500), max_size=60)
CURSORS = st.sampled_from(
    [
        at("‸"),
        at("The build runs on every push. It ta‸"),
        at("The build runs on every push.‸"),
        at("# Title‸"),
        at("- one\n- ‸"),
        at("  1. one\n  2. tw‸o more\n"),
        at("| a | b |\n|---|---|\n| 1 | ‸ |\n"),
        at("| a | b |\n|---|---|\n| 1 | 2 |‸"),
        at("```py\ndef f():\n    ‸\n```\n"),
        at("> quo‸te\n"),
        at("Text.\n\n‸\n\n## Usage of the build\n\nRun it."),
        at("It is **bo‸ld** and (so ‸on).".replace("‸on", "on")),
    ]
)


@settings(max_examples=200, deadline=None)
@given(ANSWERS, PLACES, st.integers(1, 4), st.none() | CURSORS)
def test_any_division_into_pieces_gives_the_same_suggestions(
    text: str, places: list[int], count: int, cursor: CursorContext | None
) -> None:
    splitter = SuggestionSplitter(count, cursor)
    deltas = [delta for piece in cut(text, places) for delta in splitter.feed(piece)]
    deltas += splitter.finish()
    assert splitter.texts == split(text, count, cursor)
    assert len(splitter.texts) <= count
    together = tuple(
        "".join(part for index, part in deltas if index == one) for one in range(len(splitter.texts))
    )
    assert together == splitter.texts
    assert all(0 <= index < len(splitter.texts) and part for index, part in deltas)
    assert all(found.strip() and found == found.rstrip() for found in splitter.texts)


# --- cleaning -------------------------------------------------------------------------------------


def put_in(text: str, suggestion: str) -> str:
    """The text with the cleaned suggestion at its ‸."""
    return text.replace("‸", clean_suggestion(suggestion, at(text)))


PLACED = [
    # what stands before the cursor is not repeated
    ("Rules that‸", "Rules that govern memory.", "Rules that govern memory."),
    ("A set of rules that‸", "that govern memory.", "A set of rules that govern memory."),
    ("A set of rules that ‸", " that govern memory.", "A set of rules that govern memory."),
    ("The  quick\nbrown fox‸", "the quick brown fox jumps.", "The  quick\nbrown fox jumps."),
    (
        "One is here and now. Two is‸",
        "One is here and now. Two is three.",
        "One is here and now. Two is three.",
    ),
    ("One is here and now. ‸", "One is here and now. And two.", "One is here and now. And two."),
    ("## Set-up\n\n‸", "## Set-up\n\nInstall it.", "## Set-up\n\nInstall it."),
    ("Overview\n\n‸", "Overview of the parts.", "Overview\n\nOverview of the parts."),
    ("An imple‸", "implementation is near.", "An implementation is near."),
    ("See the‸", "theory of it.", "See the theory of it."),
    ("Rules‸", "Rules", "Rules"),
    # nor what stands after it
    ("Run ‸ twice.", "the build twice.", "Run the build twice."),
    ("Now.‸\n\n## Usage\nRun it", "Then.\n\n## Usage\nRun it", "Now. Then.\n\n## Usage\nRun it"),
    ("Call (the ‸) now", "server)", "Call (the server) now"),
    ("It is‸, and slow.", "fast,", "It is fast, and slow."),
    # white space comes where it is needed, and only there
    ("It is‸", "fast.", "It is fast."),
    ("It is‸", " fast.", "It is fast."),
    ("It is ‸", " fast.", "It is fast."),
    ("It is‸", ", however, fast.", "It is, however, fast."),
    ("It is (‸", "very) fast.", "It is (very) fast."),
    ("See 3.‸", "14 for it.", "See 3.14 for it."),
    ("The implementation. An imple‸", "mentation.", "The implementation. An implementation."),
    ("im‸mer", "plementation", "implementationmer"),
    ("Is it‸fast?", "really", "Is itreallyfast?"),
    ("It ‸fast.", "is", "It is fast."),
    ("日本‸", "語です。", "日本語です。"),
    ("Done.‸", "\n\nNext.", "Done.\n\nNext."),
    ("It is‸", "\n\nfast.", "It is fast."),
    ("Done.‸", "## Next\n\nText.", "Done.\n\n## Next\n\nText."),
    ("Steps:‸", "- one\n- two", "Steps:\n\n- one\n- two"),
    ("```\nx\n```‸", "Text.", "```\nx\n```\n\nText."),
    # the block of the cursor is kept
    ("- one\n- ‸", "- two\n- three", "- one\n- two\n- three"),
    ("- one‸", "- two", "- one\n- two"),
    ("  - one‸", "\n- two\n- three", "  - one\n  - two\n  - three"),
    ("1. one\n2. ‸", "2. two", "1. one\n2. two"),
    ("## ‸", "## Title\n\nText.", "## Title\n\nText."),
    ("## Title‸", "\nText.", "## Title\n\nText."),
    ("| a | b |\n|---|---|\n| ‸ | x |", "| one\nmore | two |", "| a | b |\n|---|---|\n| one more | x |"),
    ("|a|b|\n|-|-|\n|1|2|‸", "|3|4|\n|5|6|\n\nText.", "|a|b|\n|-|-|\n|1|2|\n|3|4|\n|5|6|"),
    ("> one.‸", "\nTwo.\nThree.", "> one.\n> Two.\n> Three."),
    ("```py\nf(‸)\n```", "1)\n```\n\nThat calls f.", "```py\nf(1)\n```"),
    ("```py\ndef f():\n    ‸\n```", "    return 1", "```py\ndef f():\n    return 1\n```"),
    ("```js\n{\n  {\n  }\n‸\n```", "}", "```js\n{\n  {\n  }\n}\n```"),
    ("```py\nx = ‸", "1\n```", "```py\nx = 1\n```"),
    # what is opened is closed
    ("It is ‸", "**very fast", "It is **very fast**"),
    ("Run ‸", "`make run", "Run `make run`"),
    ("It is **‸", "very fast** here", "It is **very fast** here"),
    ("It is ‸", "fast (as we said", "It is fast (as we said)"),
    ("It is ‸", "fast **", "It is fast"),
    ("Text.\n\n‸", "```sh\nmake", "Text.\n\n```sh\nmake\n```"),
    ("It is **‸** now", "fast", "It is **fast** now"),
    ("It is ‸", "a `[` bracket", "It is a `[` bracket"),
    # and comments of the model go
    ("It is ‸", "fast.\n\nLet me know if you want more!", "It is fast."),
]


@pytest.mark.parametrize(("text", "suggestion", "result"), PLACED)
def test_a_suggestion_fits_between_what_stands_before_and_after_it(
    text: str, suggestion: str, result: str
) -> None:
    assert put_in(text, suggestion) == result


@pytest.mark.parametrize(("text", "suggestion"), [(text, suggestion) for text, suggestion, _ in PLACED])
def test_a_start_that_comes_character_by_character_is_that_of_the_whole(text: str, suggestion: str) -> None:
    streamed, whole = HeadTrimmer(at(text)), HeadTrimmer(at(text))
    result = "".join(map(streamed.feed, suggestion)) + streamed.finish()
    assert result == whole.feed(suggestion) + whole.finish()


@settings(max_examples=200, deadline=None)
@given(ANSWERS, PLACES, CURSORS)
def test_a_streamed_start_is_the_same_for_any_division_into_pieces(
    text: str, places: list[int], cursor: CursorContext
) -> None:
    streamed, whole = HeadTrimmer(cursor), HeadTrimmer(cursor)
    result = "".join(streamed.feed(piece) for piece in cut(text, places)) + streamed.finish()
    assert result == whole.feed(text) + whole.finish()


REPEATING = st.tuples(CURSORS, ANSWERS, st.integers(0, 60), st.integers(0, 60)).map(
    lambda drawn: (drawn[0], drawn[0].prefix[-drawn[2] :] + drawn[1] + drawn[0].suffix[: drawn[3]])
)


@settings(max_examples=200, deadline=None)
@given(REPEATING)
def test_a_cleaned_suggestion_begins_as_the_streamed_one_did(drawn: tuple[CursorContext, str]) -> None:
    cursor, text = drawn
    trimmer = HeadTrimmer(cursor)
    streamed = trimmer.feed(text) + trimmer.finish()
    cleaned = clean_suggestion(text, cursor)
    first_word = streamed.split(maxsplit=1)[:1]
    assert not cleaned or cleaned.isspace() is False
    if cleaned and cursor.block != "table" and first_word and first_word[0].isalnum():
        assert cleaned.split(maxsplit=1)[0].startswith(first_word[0][:1])


def test_a_start_is_held_back_only_while_it_may_repeat_the_text_before_it() -> None:
    trimmer = HeadTrimmer(at("Ownership is a set of rules that‸"))
    assert trimmer.feed("Ownership is a set") == ""
    assert trimmer.feed(" of rules that") == ""
    assert trimmer.feed(" govern memory") == " govern memory"
    assert trimmer.feed(" use.") == " use."
    assert HeadTrimmer(at("Text. ‸")).feed("Quick and") == "Quick and"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_cleaned_at_any_place(before: str, suggestion: str, after: str) -> None:
    cleaned = clean_suggestion(suggestion, cursor_context(before + after, len(before)))
    assert cleaned == "" or cleaned.strip()


# --- the end, while it streams -------------------------------------------------------------------


def held_and_given(text: str, pieces: list[str]) -> str:
    holder = TailHolder(at(text))
    return "".join(map(holder.feed, pieces))


@pytest.mark.parametrize(
    ("text", "suggestion", "given"),
    [
        ("We ship ‸ at ten o'clock sharp.", "on Tuesday at ten o'clock sharp.", "on Tuesday"),
        ("We ship ‸ at ten o'clock sharp.", "on Tuesday at ten past four", "on Tuesday at ten past four"),
        ("We ship ‸ at ten.", "on Tuesday attending", "on Tuesday attending"),
        ("It is (‸) here.", "red", "red"),
        ("It is (‸) here.", "red)", "red"),
        ("It is (‸) here.", "red (or so) today", "red (or so) today"),
        ("Before. ‸\n\n## Closing time\n", "It opens.\n\n## Closing time\nNever.", "It opens."),
        ("| a | ‸ |", "one\ntwo", "one"),
        ("```\nfirst‸\n```\n", "()\nsecond()\n```\nand prose", "()\nsecond()"),
        ("The end‸", " is near. The end is near.", " is near. The end is near."),
    ],
)
def test_what_may_repeat_the_text_after_the_cursor_waits(text: str, suggestion: str, given: str) -> None:
    assert held_and_given(text, list(suggestion)).rstrip() == given
    assert held_and_given(text, [suggestion]).rstrip() == given


@settings(max_examples=200, deadline=None)
@given(CURSORS, ANSWERS, PLACES)
def test_what_is_given_is_the_beginning_of_the_text_and_the_same_for_any_division(
    cursor: CursorContext, text: str, places: list[int]
) -> None:
    streamed, whole = TailHolder(cursor), TailHolder(cursor)
    given = "".join(streamed.feed(piece) for piece in cut(text, places))
    assert text.startswith(given)
    assert len(whole.feed(text)) <= len(given)
