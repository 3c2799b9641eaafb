"""Citations of an answer are checked against the passages, whole and while they stream."""

from __future__ import annotations

import json
import re
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.text.citations import (
    ABSTENTION,
    AnswerEvent,
    CheckedAnswer,
    CheckedCitation,
    CitationChecker,
    check_answer,
    is_abstention,
)
from shared.text.claim_checks import Claim
from shared.text.support import Passage
from shared.text.terms import Terms, number_value, stem, tokens
from shared.types import Match
from tests.citation_cases import KINDS, LABELLED, RIGHT, Paragraph, case
from tests.citation_changes import CHANGED
from tests.citation_pairs import DEVELOPMENT, FOUND, UNSEEN, Pair

SQUAD = Path(__file__).parents[1].parent / "shared" / "data" / "retrieval" / "squad2_dev" / "docs.jsonl"


def match(text: str, title: str = "Guide", *headings: str) -> Match:
    return Match("chunk", "document", title, "hash", text, 0, len(text), 0, 0, headings, 0.5, 1.0)


SERVER = match(
    "The server listens on port 8000 by default. It does not encrypt traffic. "
    "Migrations run before indexing, and both take an advisory lock.",
    "Server guide",
)
RUST = match(
    "Ownership is a set of rules that govern how a Rust program manages memory. "
    "Rust was first released in 2015 by Mozilla. Variables are immutable by default.",
    "The Rust book",
    "Understanding ownership",
)
MATCHES = (SERVER, RUST)


def cited(text: str) -> list[tuple[int, str]]:
    return [(citation.marker, citation.support) for citation in check_answer(text, MATCHES).citations]


# --- the rule, on labelled pairs ------------------------------------------------------------------


def accepted(pair: Pair) -> bool:
    return bool(check_answer(f"{pair.claim[:-1]} [1].", [match(pair.passage)]).citations)


@pytest.mark.parametrize("pair", [*DEVELOPMENT, *UNSEEN, *FOUND], ids=lambda pair: pair.claim)
def test_a_claim_that_the_passage_does_not_make_gets_no_citation(pair: Pair) -> None:
    assert pair.supported or not accepted(pair)


@pytest.mark.parametrize(
    ("pairs", "share"), [(DEVELOPMENT, 0.9), (UNSEEN, 0.7)], ids=["development", "unseen"]
)
def test_most_claims_that_the_passage_makes_keep_their_citation(
    pairs: tuple[Pair, ...], share: float
) -> None:
    supported = [pair for pair in pairs if pair.supported]
    missed = [pair.claim for pair in supported if not accepted(pair)]
    assert 1 - len(missed) / len(supported) >= share, missed


@pytest.mark.parametrize(
    ("passage", "claim"),
    [pytest.param(one.passage, claim, id=f"{one.kind}: {claim}") for one in CHANGED for claim in one.wrong],
)
def test_a_sentence_with_one_thing_changed_gets_no_citation(passage: str, claim: str) -> None:
    assert not check_answer(f"{claim[:-1]} [1].", [match(passage)]).citations


@pytest.mark.parametrize(
    ("passage", "claim"),
    [pytest.param(one.passage, claim, id=f"{one.kind}: {claim}") for one in CHANGED for claim in one.right],
)
def test_a_sentence_beside_it_that_is_right_keeps_its_citation(passage: str, claim: str) -> None:
    similarity = BuiltinEmbedder().similarity
    assert check_answer(f"{claim[:-1]} [1].", [match(passage)], similarity).citations


JOINED = (
    "{right}, and {wrong} [1].",
    "{right} and {wrong} [1].",
    "{wrong}; {right} [1].",
    "{right} ({wrong}) [1].",
    "{right} because {wrong} [1].",
    "{right}, so {wrong} [1].",
    "- {wrong} [1]",
    "| A | B |\n|---|---|\n| {wrong} | [1] |",
    "According to the guide, {wrong} [1].",
)


@pytest.mark.parametrize("form", JOINED)
def test_a_wrong_sentence_gets_no_citation_beside_a_right_one_or_in_a_list(form: str) -> None:
    kept = [
        text
        for one in CHANGED
        for claim in one.wrong
        for text in [form.format(wrong=claim[:-1], right=(one.right or one.wrong)[0][:-1])]
        if check_answer(text, [match(one.passage)]).citations
    ]
    assert kept == []


@pytest.mark.parametrize(
    "claim",
    [
        "The server is called by the client.",
        "The server uses the client.",
        "The plugin uses the editor.",
        "The bay is called the tower.",
        "Rome is called the statue.",
        "Zenit was found by Acme.",
    ],
)
def test_a_word_that_says_little_stands_for_no_other(claim: str) -> None:
    passage = match(
        "The client trusts the server. The editor removed the plugin. The tower overlooks the bay. "
        "The statue stands in Rome. Acme bought Zenit."
    )
    assert not check_answer(f"{claim[:-1]} [1].", [passage]).citations


@pytest.mark.parametrize(
    ("answer", "is_cited"),
    [
        ("The gateway is small. It retries failed requests up to three times [1].", True),
        ("The database keeps failed requests. It retries failed requests up to three times [1].", False),
        ("It retries failed requests up to three times [1].", False),
        ("Reports are useful. They are kept for a year [1].", True),
        ("The logs are useful. They are kept for a year [1].", False),
    ],
)
def test_a_pronoun_stands_for_what_the_sentence_before_and_the_passage_both_name(
    answer: str, is_cited: bool
) -> None:
    passage = match("The gateway retries failed requests up to three times. Reports are kept for a year.")
    assert bool(check_answer(answer, [passage]).citations) is is_cited


def test_a_quotation_is_verified_though_its_sentence_goes_on() -> None:
    passage = match("The door opens to visitors at nine only if the guard is there.")
    assert cited_in('The guide says "the door opens to visitors at nine" [1].', passage) == ["verified"]
    assert cited_in("The door opens to visitors at nine [1].", passage) == []


def cited_in(text: str, passage: Match) -> list[str]:
    return [citation.support for citation in check_answer(text, [passage]).citations]


def test_a_version_is_no_decimal_and_a_sign_or_a_currency_belongs_to_its_number() -> None:
    assert number_value("1.20") != number_value("1.2")
    assert number_value("5.0") == number_value("5")
    assert number_value("1,000") == number_value("1000")
    assert Terms(tokens("It was -8 degrees.")).numbers == {"-8"}
    assert Terms(tokens("on 2023-04-11")).numbers == {"2023-04-11"}
    assert Terms(tokens("$5")).keys == Terms(tokens("5 dollars")).keys
    assert Terms(tokens("€5")).keys != Terms(tokens("$5")).keys


@pytest.mark.parametrize(
    ("form", "verb"), [("won", "win"), ("kept", "keeps"), ("taught", "teaches"), ("written", "writing")]
)
def test_the_forms_of_an_irregular_verb_are_one_word(form: str, verb: str) -> None:
    assert stem(form) == stem(verb)


@pytest.mark.skipif(not SQUAD.is_file(), reason=f"{SQUAD} is absent: real paragraphs are not checked")
def test_sentences_of_real_paragraphs_are_verified_and_changed_ones_are_not() -> None:
    kept = changed = cited_changed = 0
    for line in SQUAD.read_text(encoding="utf-8").splitlines():
        paragraphs = [text for text in json.loads(line)["text"].split("\n\n") if len(text) > 200][:20]
        for paragraph in paragraphs:
            sentence = re.split(r"(?<=[a-z][.]) (?=[A-Z])", paragraph)[0]
            kept += bool(Passage(paragraph).evidence(Claim(sentence)))
            if number := re.search(r"\d", sentence):
                other = (
                    f"{sentence[: number.start()]}{(int(number.group()) + 3) % 10}{sentence[number.end() :]}"
                )
                changed += 1
                cited_changed += bool(Passage(paragraph).evidence(Claim(other)))
    assert kept > 200
    assert changed > 80
    assert cited_changed == 0


def paragraphs() -> list[Paragraph]:
    lines = SQUAD.read_text(encoding="utf-8").splitlines()
    return [
        Paragraph(document["title"], document["text"][one["start"] : one["end"]], (), ())
        for document in map(json.loads, lines)
        for one in document["paragraphs"]
    ]


@pytest.mark.skipif(not SQUAD.is_file(), reason=f"{SQUAD} is absent: a model's errors are not played over it")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (*LABELLED, "question answered")])
def test_of_a_model_that_misbehaves_no_wrong_citation_is_sent(kind: str) -> None:
    chance, source, similarity = Random(kind), paragraphs(), BuiltinEmbedder().similarity
    made = (case(kind, source, chance) for _ in range(2000))
    cases = list(islice((one for one in made if one), 12))
    kept = 0
    for one in cases:
        found = check_answer(one.reply, [match(passage.text) for passage in one.passages], similarity)
        numbers = {citation.marker for citation in found.citations}
        assert numbers <= one.right, one.reply
        kept += bool(numbers)
    assert cases
    assert kept >= len(cases) - 1 if kind in RIGHT else kept == 0


# --- markers --------------------------------------------------------------------------------------


MARKED = [
    ("The server listens on port 8000 [1].", "The server listens on port 8000 [1]."),
    ("The server listens on port 8000. [1]", "The server listens on port 8000. [1]"),
    ("The server listens on port 8000.[1] Hello!", "The server listens on port 8000.[1] Hello!"),
    ("The server listens on port 8000 【1†source】.", "The server listens on port 8000 [1]."),
    ("The server listens on port 8000 [passage 1].", "The server listens on port 8000 [1]."),
    ("The server listens on port 8000 [^1].", "The server listens on port 8000 [1]."),
    (
        "The server listens on port 8000 [1](https://evil.example/x).",
        "The server listens on port 8000 [1].",
    ),
    ("The server listens on port 8000 [1, 2].", "The server listens on port 8000 [1]."),
    ("The server listens on port 8000 [1-2].", "The server listens on port 8000 [1]."),
    ("The server listens on port 8000 [1][2][7].", "The server listens on port 8000 [1]."),
    ("The server listens on port 8000 [3].", "The server listens on port 8000."),
    ("The server listens on port 8000 [0].", "The server listens on port 8000."),
    ("The server listens on port 8000 [99999999999999999999].", "The server listens on port 8000."),
    (
        "According to [1], the server listens on port 8000.",
        "According to [1], the server listens on port 8000.",
    ),
    (
        "- The default port is 8000 [1]\n- Rust is red [2]",
        "- The default port is 8000 [1]\n- Rust is red",
    ),
    ("The server listens on port 8000\n[1]\n\nHello!", "The server listens on port 8000\n[1]\n\nHello!"),
    ("Rust is red.\n[2]\n\nHello!", "Rust is red.\n\nHello!"),
    ("[2] Rust is red.", "Rust is red."),
    ("## Ports [1]", "## Ports"),
    ("Use `ports[1]` as it is.", "Use `ports[1]` as it is."),
    ("```\nports[1]. Next\n```", "```\nports[1]. Next\n```"),
    ("See [the guide](https://example.org).", "See [the guide](https://example.org)."),
    ("[1]", ""),
    ("", ""),
]


@pytest.mark.parametrize(("text", "answer"), MARKED)
def test_a_marker_stays_in_one_form_where_its_passage_supports_it_and_goes_elsewhere(
    text: str, answer: str
) -> None:
    assert check_answer(text, MATCHES).answer == answer


def test_a_sentence_in_the_passages_own_words_is_verified_at_these_words() -> None:
    (citation,) = check_answer("The server listens on port 8000 [1].", MATCHES).citations
    assert citation == CheckedCitation(1, 0, 0, 31, "verified")
    assert SERVER.text[citation.start : citation.end] == "The server listens on port 8000"


def test_a_sentence_in_other_words_is_a_paraphrase_of_the_sentence_that_says_it() -> None:
    (citation,) = check_answer("By default, variables of Rust are immutable [2].", MATCHES).citations
    assert citation.support == "paraphrase"
    assert RUST.text[citation.start : citation.end] == "Variables are immutable by default."


def test_a_quotation_must_stand_in_the_passage_word_for_word() -> None:
    checked = check_answer(
        'The guide says it "does not encrypt traffic" [1]. It says it "never encrypts any traffic" [1].',
        MATCHES,
    )
    assert [citation.support for citation in checked.citations] == ["verified"]
    assert checked.unsupported == ('It says it "never encrypts any traffic".',)


def test_two_passages_may_support_one_sentence_together_if_each_has_a_part() -> None:
    text = "Rust was first released in 2015 [2], and the server listens on port 8000 [1]."
    assert cited(text) == [(2, "paraphrase"), (1, "paraphrase")] or {marker for marker, _ in cited(text)} == {
        1,
        2,
    }


def test_a_sentence_of_which_one_part_is_not_supported_loses_all_its_markers() -> None:
    checked = check_answer(
        "Rust was first released in 2015 [2], and the server listens on port 9 [1].", MATCHES
    )
    assert checked.citations == ()
    assert checked.unsupported == ("Rust was first released in 2015, and the server listens on port 9.",)


def test_words_of_the_title_and_the_headings_help_a_passage_that_leaves_them_out() -> None:
    passage = match("It is dropped when its owner goes out of scope.", "The Rust book", "Values")
    assert check_answer("A Rust value is dropped when its owner goes out of scope [1].", [passage]).citations


def test_a_similarity_is_asked_before_a_paraphrase_is_accepted() -> None:
    text = "By default, variables of Rust are immutable [2]."
    asked: list[tuple[str, str]] = []

    def unlike(claim: str, passage: str) -> float:
        asked.append((claim, passage))
        return 0.1

    assert check_answer(text, MATCHES, lambda claim, passage: 0.9).citations
    assert not check_answer(text, MATCHES, unlike).citations
    assert asked


# --- claims without support -----------------------------------------------------------------------


def test_a_claim_without_a_marker_is_listed_and_gets_no_citation() -> None:
    checked = check_answer("The server listens on port 8000. Hello!", MATCHES)
    assert checked.citations == ()
    assert checked.unsupported == ("The server listens on port 8000.",)


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "Sure.",
        "Here is what the documents say:",
        "Is there anything else?",
        "I hope this helps with your deployment.",
        "Let me know if you need more details about ports.",
        ABSTENTION,
        "The passages do not mention the port of the database.",
        "## The port of the server",
        "| Name | Port |\n|---|---|",
        "```\nserver.listen(8000)\n```",
        "",
    ],
)
def test_what_claims_nothing_is_not_listed(text: str) -> None:
    assert check_answer(text, MATCHES).unsupported == ()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "It runs on v1.2. Dr. Smith wrote e.g. the parser.",
            ["It runs on v1.2.", "Dr. Smith wrote e.g. the parser."],
        ),
        ("See `a.b. C` for ports. Next one is red.", ["See `a.b. C` for ports.", "Next one is red."]),
        ("- First port\n- Second port", ["First port", "Second port"]),
        (
            "The file\nis large. “It grows.” Fine tuning helps",
            ["The file\nis large.", "“It grows.”", "Fine tuning helps"],
        ),
        (
            "Sie werden vor dem 1. Mai geprüft. Danach nicht mehr.",
            ["Sie werden vor dem 1. Mai geprüft.", "Danach nicht mehr."],
        ),
        ("端口是八千。服务器很快。", ["端口是八千。", "服务器很快。"]),
        ("| a | b |\n|---|---|\n| port | open |", ["| port | open |"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert list(check_answer(text, MATCHES).unsupported) == sentences


@pytest.mark.parametrize(
    ("text", "abstains"),
    [
        (ABSTENTION, True),
        ("the documents don't say", True),
        ("The provided passages do not contain this information.", True),
        ("This is not mentioned in the documents.", True),
        ("I could not find this in the passages.", True),
        ("There is no information about ports in the documents. Let me know if you need more!", True),
        ("Sorry, I don't know.", True),
        ("The documents do not say when, but the server listens on port 8000.", False),
        ("The documents do not say. The server listens on port 8000.", False),
        ("The server does not say hello.", False),
        ("The server listens on port 8000.", False),
        ("Hello!", False),
        ("", False),
    ],
)
def test_an_abstention_is_known_in_the_fixed_words_and_in_similar_ones(text: str, abstains: bool) -> None:
    assert is_abstention(text) is abstains


# --- streams --------------------------------------------------------------------------------------


def text_of(events: list[AnswerEvent]) -> str:
    return "".join(event for event in events if isinstance(event, str))


def test_text_flows_at_once_and_a_marker_waits_for_the_end_of_its_sentence() -> None:
    checker = CitationChecker(MATCHES)
    assert checker.feed("The server listens on") == ["The server listens on"]
    assert checker.feed(" port 8000 [") == [" port 8000"]
    assert checker.feed("1]") == []
    assert checker.feed(". ") == []
    assert checker.feed("Next") == [" [1].", CheckedCitation(1, 0, 0, 31, "verified"), " Next"]
    assert checker.finish() == []
    assert checker.result.unsupported == ("Next",)


FRAGMENTS = (
    "The server listens on port 8000",
    "The server listens on port 9000",
    "Variables are immutable",
    " [1]",
    "[2]",
    "[1, 2]",
    " [3]",
    "【2†source】",
    "[",
    "]",
    ". ",
    ".",
    "? ",
    "\n",
    "\n\n",
    "\n- ",
    "\n# ",
    "\n| ",
    "\n```",
    "`",
    " e.g. ",
    " 3.5 ",
    '"',
    "。",
    " not ",
    "\r\n",
    "\t",
    "é😀",
    ABSTENTION,
    "(https://x.example)",
    "\\",
    "***",
)
ANSWERS = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join) | st.text(max_size=80)


def cut(text: str, places: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(borders)]


@pytest.mark.parametrize("text", [f"{text} Next." for text, _ in MARKED])
def test_an_answer_that_comes_character_by_character_is_checked_as_a_whole_one_is(text: str) -> None:
    checker = CitationChecker(MATCHES)
    events = [event for character in text for event in checker.feed(character)]
    events += checker.finish()
    assert checker.result == check_answer(text, MATCHES)
    assert text_of(events) == checker.result.answer


@settings(max_examples=150, deadline=None)
@given(ANSWERS, st.lists(st.integers(0, 500), max_size=40))
def test_any_division_into_pieces_gives_what_the_whole_answer_gives(text: str, places: list[int]) -> None:
    checker = CitationChecker(MATCHES)
    events: list[AnswerEvent] = []
    for piece in cut(text, places):
        events += checker.feed(piece)
    events += checker.finish()
    whole: CheckedAnswer = check_answer(text, MATCHES)
    assert checker.result == whole
    assert text_of(events) == whole.answer
    assert tuple(event for event in events if not isinstance(event, str)) == whole.citations


@settings(max_examples=150, deadline=None)
@given(ANSWERS)
def test_markers_and_citations_belong_together_in_any_answer(text: str) -> None:
    checked = check_answer(text, MATCHES)
    for citation in checked.citations:
        assert f"[{citation.marker}]" in checked.answer
        assert citation.marker == citation.match_index + 1
        assert 0 <= citation.start < citation.end <= len(MATCHES[citation.match_index].text)
    prose = re.sub(r"```.*?(```|\Z)|`[^`\n]*`|\\\[", "", checked.answer, flags=re.DOTALL)
    if "`" not in text and "\\" not in text:
        markers = {int(number) for number in re.findall(r"\[(\d+)\]", prose)}
        assert markers == {citation.marker for citation in checked.citations}
    for sentence in checked.unsupported:
        assert sentence.strip() == sentence


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_is_taken_as_passage_and_as_answer(passage: str, answer: str) -> None:
    check_answer(f"{answer} [1].", [match(passage, passage[:20], passage[:10])])


def test_an_answer_in_one_endless_sentence_is_still_checked_in_bounded_pieces() -> None:
    checked = check_answer("word " * 3000 + "[1]. The server listens on port 8000 [1].", MATCHES)
    assert [citation.support for citation in checked.citations] == ["verified"]
