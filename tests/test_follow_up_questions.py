"""Follow-up questions: what is searched for, and whether the right passage is found by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.indexing import index_document
from shared.retrieval import retrieve
from shared.store.store import Store
from shared.text.follow_up import MOST_WORDS, leans, search_query
from shared.text.offline.terms import terms
from tests.marginalia import marginalia
from tests.store_samples import ALICE, put
from tests.test_indexing import CONTEXT

SAMPLES = Path(__file__).parents[1] / "docs" / "samples"
FIRST = 3  # passages among which the right one must be


@dataclass(frozen=True)
class Case:
    """`turns` are question, answer, question, …; the last question is searched for."""

    turns: tuple[str, ...]
    passage: str  # words of the right passage

    @property
    def question(self) -> str:
        return self.turns[-1]

    @property
    def history(self) -> list[tuple[str, str]]:
        return [("assistant" if number % 2 else "user", text) for number, text in enumerate(self.turns[:-1])]


def cases(part: int) -> list[Case]:
    """Those of the first or second part of the table."""
    table = (Path(__file__).parent / "follow_ups.txt").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in table.split("\n\n")[part].splitlines() if not line.startswith("#")]
    return [Case(tuple(turns.split(" / ")), passage) for turns, passage in rows]


FOLLOW_UPS, TOPICS_CHANGED = cases(1), cases(2)


async def hits(store: Store, queries: list[tuple[str, str]]) -> list[str]:
    """The passages, of those meant, that are not found."""
    missed = []
    for query, passage in queries:
        found = await retrieve(
            store, BuiltinEmbedder(), ALICE, query=query, document_ids=None, count=FIRST, context=CONTEXT
        )
        if not any(passage in " ".join(match.text.split()) for match in found.matches):
            missed.append(f"{query!r}: {passage}")
    return missed


@pytest.fixture
async def indexed(store: Store) -> Store:
    for path in sorted(SAMPLES.glob("*.md")):
        document = await put(store, ALICE, path.name, path.read_text(encoding="utf-8"))
        await index_document(store, BuiltinEmbedder(), ALICE, document, context=CONTEXT)
    return store


async def test_the_rule_finds_more_right_passages_than_the_question_alone_or_with_the_one_before(
    indexed: Store,
) -> None:
    both = [*FOLLOW_UPS, *TOPICS_CHANGED]
    ruled = await hits(indexed, [(search_query(one.question, one.history), one.passage) for one in both])
    alone = await hits(indexed, [(one.question, one.passage) for one in both])
    joined = await hits(indexed, [(f"{one.turns[-3]}\n{one.question}", one.passage) for one in both])
    print(f"of {len(both)} missed: {len(ruled)} by rule, {len(alone)} alone, {len(joined)} joined")
    print(*ruled, sep="\n")
    assert len(ruled) < min(len(alone), len(joined))
    assert len(ruled) <= len(both) * 0.1, ruled


@pytest.mark.parametrize("case", TOPICS_CHANGED, ids=lambda case: case.question)
def test_a_question_that_stands_alone_is_searched_for_alone(case: Case) -> None:
    assert search_query(case.question, case.history) == case.question


@pytest.mark.parametrize("case", FOLLOW_UPS, ids=lambda case: case.question)
def test_a_follow_up_keeps_its_own_words_first_and_takes_few_of_the_earlier_ones(case: Case) -> None:
    query = search_query(case.question, case.history)
    assert query.startswith(f"{case.question}\n")
    assert len(set(terms(query))) <= max(MOST_WORDS, len(set(terms(case.question))) + 4) + 2


@pytest.mark.parametrize(
    "question",
    [
        "Why?",
        "And in winter?",
        "Who owns it?",
        "What about the second one?",
        "Wie lange dauert sie?",
        "Wer genehmigt das und warum dort?",
        "Et pourquoi ?",
        "¿Y quién lo aprueba?",
        "¿Cuáles son sus límites?",
    ],
)
def test_pronouns_openings_and_bare_questions_lean_on_what_was_said(question: str) -> None:
    assert leans(question)


def test_a_chain_of_follow_ups_is_led_back_to_the_question_it_began_with() -> None:
    history = [
        ("user", "How are snapshots deleted?"),
        ("assistant", "By a job [1]."),
        ("user", "Why?"),
        ("assistant", "To save space [1]."),
    ]
    assert search_query("And when?", history) == "And when?\nsnapshots deleted"


def test_names_in_the_last_answer_are_what_a_pronoun_may_mean() -> None:
    history = [("user", "Which river names the release?"), ("assistant", "It is called Danube 7 [1].")]
    assert search_query("How long is it?", history) == "How long is it?\nriver names release Danube 7"


def test_without_history_and_with_an_answer_alone_the_question_is_left_as_it_is() -> None:
    assert search_query("Who owns it?", []) == "Who owns it?"
    assert search_query("Who owns it?", [("assistant", "")]) == "Who owns it?"


@given(
    st.text(max_size=80), st.lists(st.tuples(st.sampled_from(("user", "assistant")), st.text(max_size=300)))
)
def test_any_conversation_gives_a_query_that_begins_with_the_question(
    question: str, history: list[tuple[str, str]]
) -> None:
    query = search_query(question, history)
    assert query.startswith(question)
    assert len(query) <= len(question) + 1 + sum(len(text) + 1 for _, text in history)


def test_a_long_conversation_is_read_in_a_moment() -> None:
    history = [("user", "why " * 8000), ("assistant", "A1 " * 10_000)] * 25
    assert search_query("And then?", history).startswith("And then?")


async def test_a_follow_up_is_answered_without_a_model_too(database_url: str) -> None:
    async with marginalia(database_url) as client:
        design = (SAMPLES / "sync-service-design.md").read_text(encoding="utf-8")
        await client.put("/functions/v1/documents/design", json={"markdown_content": design})
        body = {
            "question": "How long does it last?",
            "history": [
                {"role": "user", "content": "Which lease does a sequencer hold?"},
                {"role": "assistant", "content": "A lease in the coordination store [1]."},
            ],
        }
        answer = (await client.post("/functions/v1/answer-question", json=body)).json()
    first = " ".join(answer["citations"][0]["anchor"]["quote"]["exact"].split())
    assert first == "The lease lasts ten seconds and is renewed every three."
