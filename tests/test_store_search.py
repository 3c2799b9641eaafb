"""Hybrid search, through the real database."""

from __future__ import annotations

import asyncio

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.store.postgres import PostgresTransport
from shared.store.store import Matches, Store
from tests.store_samples import ALICE, MODEL, chunk, chunks, index, put, vector

RUST = {
    "Structs are similar to tuples, which hold several values.": vector(1.0, 0.1, 0.0),
    "To define a struct, we enter the keyword struct and name the whole.": vector(0.9, 0.3, 0.0),
    "Enums give you a way of saying a value is one of a set.": vector(0.2, 1.0, 0.0),
    "The weather in spring is mild.": vector(0.0, 0.0, 1.0),
}


def texts(found: Matches) -> list[str]:
    return [match.text for match in found.matches]


async def by_words(store: Store, query: str | None, match_count: int = 10) -> list[str]:
    return texts(await store.match_document_chunks(ALICE, query_text=query, match_count=match_count))


async def test_a_natural_question_finds_the_passage_with_most_of_its_words_first(store: Store) -> None:
    await index(store, ALICE, "book", chunks(*RUST))
    found = await by_words(store, "How do I define a struct?")
    assert found[0].startswith("To define a struct")
    assert found[1].startswith("Structs are similar")
    assert len(found) == 2


async def test_words_of_the_headings_count_more_than_words_of_the_text(store: Store) -> None:
    passages = [
        chunk("Something mentions ownership once.", 0, heading_path=("Other",)),
        chunk("Each value has one owner.", 1, heading_path=("Chapter", "Ownership")),
    ]
    await index(store, ALICE, "book", passages)
    assert (await by_words(store, "ownership"))[0] == "Each value has one owner."


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Call user.email_address to read it", "email"),
        ("A Vec<String> grows", "string"),
        ("See https://example.org/guide/install.html", "install"),
        ("Set DATABASE_URL first", "database url"),
        ("a well-known pattern", "known"),
        ("Größe und Übung", "übung"),
        ("структура данных", "данных"),
    ],
)
async def test_punctuation_separates_words(store: Store, text: str, query: str) -> None:
    await index(store, ALICE, "a", chunks(text))
    assert await by_words(store, query) == [text]


async def test_by_vector_alone_the_nearest_comes_first_with_its_cosine(store: Store) -> None:
    await index(store, ALICE, "book", chunks(*RUST), RUST)
    found = await store.match_document_chunks(
        ALICE, query_text=None, query_embedding=vector(0, 1, 0), query_model=MODEL
    )
    assert texts(found)[0].startswith("Enums")
    best = found.matches[0]
    assert best.similarity == pytest.approx(1 / numpy.sqrt(1.04), abs=1e-3)
    similarities = [match.similarity for match in found.matches]
    assert similarities == sorted(similarities, key=lambda value: -(value or 0))


@pytest.mark.parametrize("words", [None, "", "   ", "the of and is", "?!… — \n", "'\"\\&|!:*<->()"])
async def test_without_words_the_vector_alone_decides(store: Store, words: str | None) -> None:
    await index(store, ALICE, "book", chunks(*RUST), RUST)
    found = await store.match_document_chunks(
        ALICE, query_text=words, query_embedding=vector(0, 0, 1), query_model=MODEL, match_threshold=0.5
    )
    assert texts(found) == ["The weather in spring is mild."]
    assert await by_words(store, words) == []


async def test_what_both_rankings_find_wins_over_what_one_ranks_first(store: Store) -> None:
    vectors = {
        "alpha beta gamma": vector(0.0, 1.0),
        "alpha only": vector(0.9, 0.4),
        "nothing of it": vector(1.0, 0.0),
    }
    await index(store, ALICE, "a", chunks(*vectors), vectors)
    found = await store.match_document_chunks(
        ALICE,
        query_text="alpha beta gamma",
        query_embedding=vector(1, 0),
        query_model=MODEL,
        match_threshold=0.1,
    )
    assert texts(found)[0] == "alpha only"
    assert [match.score for match in found.matches] == sorted(
        (match.score for match in found.matches), reverse=True
    )


async def test_a_match_by_words_carries_its_cosine_where_it_has_one(store: Store) -> None:
    await index(store, ALICE, "a", chunks("word one", "word two"), {"word one": vector(1, 0)})
    found = await store.match_document_chunks(
        ALICE, query_text="word", query_embedding=vector(0, 1), query_model=MODEL, match_threshold=0.5
    )
    assert {match.text: match.similarity for match in found.matches} == {"word one": 0.0, "word two": None}


async def test_vectors_of_another_model_are_never_compared(store: Store) -> None:
    await index(store, ALICE, "a", chunks("one"), {"one": vector(1, 0)}, model="first")
    await index(store, ALICE, "b", chunks("two"), {"two": vector(1, 0)}, model="second")
    for model, expected in (("first", ["one"]), ("second", ["two"]), ("third", []), (None, [])):
        found = await store.match_document_chunks(
            ALICE, query_text=None, query_embedding=vector(1, 0), query_model=model
        )
        assert texts(found) == expected
    found = await store.match_document_chunks(
        ALICE, query_text="two", query_embedding=vector(1, 0), query_model="first"
    )
    assert {match.text: match.similarity for match in found.matches} == {"one": 1.0, "two": None}


async def test_chunks_of_changed_documents_never_match_and_are_counted(store: Store) -> None:
    await index(store, ALICE, "fresh", chunks("apple pie"), {"apple pie": vector(1, 0)})
    await index(store, ALICE, "stale", chunks("apple cake", "apple juice"), {"apple cake": vector(1, 0)})
    await put(store, ALICE, "stale", "pears")
    for words, embedding in (("apple", None), (None, vector(1, 0)), ("apple", vector(1, 0))):
        found = await store.match_document_chunks(
            ALICE, query_text=words, query_embedding=embedding, query_model=MODEL
        )
        assert (texts(found), found.stale_chunks) == (["apple pie"], 2)
    within = await store.match_document_chunks(ALICE, query_text="apple", document_ids=["fresh"])
    assert within.stale_chunks == 0
    await put(store, ALICE, "stale", "apple cake\n\napple juice")
    again = await store.match_document_chunks(ALICE, query_text="apple")
    assert (len(again.matches), again.stale_chunks) == (3, 0)


async def test_the_stale_are_counted_also_when_nothing_matches(store: Store) -> None:
    await index(store, ALICE, "a", chunks("apple"))
    await put(store, ALICE, "a", "pear")
    found = await store.match_document_chunks(ALICE, query_text="apple")
    assert (found.matches, found.stale_chunks) == ((), 1)


async def test_a_search_within_documents_leaves_all_others_out(store: Store) -> None:
    for name in ("a", "b", "c"):
        await index(store, ALICE, name, chunks(f"apple {name}"), {f"apple {name}": vector(1, 0)})
    for ids, expected in ((["a"], {"apple a"}), (["a", "c", "zzz"], {"apple a", "apple c"}), ([], set())):
        found = await store.match_document_chunks(
            ALICE, query_text="apple", query_embedding=vector(1, 0), query_model=MODEL, document_ids=ids
        )
        assert set(texts(found)) == expected


async def test_no_more_than_asked_for_comes_back(store: Store) -> None:
    await index(store, ALICE, "a", chunks(*(f"apple {n}" for n in range(30))))
    for count, expected in ((-1, 0), (0, 0), (1, 1), (7, 7), (30, 30), (500, 30), (2**31 - 1, 30)):
        assert len(await by_words(store, "apple", match_count=count)) == expected


async def test_a_match_says_where_it_stands(store: Store) -> None:
    passage = chunk("apple pie", 3, heading_path=("Food", "Sweet"))
    await index(store, ALICE, "a/b.md", [passage])
    [match] = (await store.match_document_chunks(ALICE, query_text="pie")).matches
    document = (await store.get_document(ALICE, "a/b.md")).document
    assert (match.document_id, match.document_title) == ("a/b.md", "a/b.md")
    assert match.content_hash == document.content_hash
    assert (match.start, match.end, match.start_line, match.end_line) == (3000, 3009, 3, 3)
    assert match.heading_path == ("Food", "Sweet")
    assert match.similarity is None


async def test_vectors_without_length_match_nothing_and_break_nothing(store: Store) -> None:
    await index(store, ALICE, "a", chunks("zero", "one"), {"zero": vector(0, 0), "one": vector(1, 0)})
    for query, expected in ((vector(1, 0), ["one"]), (vector(0, 0), [])):
        found = await store.match_document_chunks(
            ALICE, query_text=None, query_embedding=query, query_model=MODEL
        )
        assert texts(found) == expected
    found = await store.match_document_chunks(
        ALICE, query_text="zero", query_embedding=vector(1, 0), query_model=MODEL
    )
    assert {match.text: match.similarity for match in found.matches} == {"one": 1.0, "zero": None}


async def test_a_vector_wider_than_the_column_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="1537"):
        await store.match_document_chunks(
            ALICE, query_text=None, query_embedding=numpy.ones(1537, dtype=numpy.float32), query_model=MODEL
        )


HOSTILE = ["a & b", "!", "(", "'", "\\", ":*", "<->", "struct", '"', "%s", "--", ";", "\u2028", "🦀"]


def test_no_query_text_breaks_the_search(database_url: str) -> None:
    with asyncio.Runner() as runner:
        store = Store(PostgresTransport(database_url))
        runner.run(index(store, ALICE, "a", chunks("struct")))

        @settings(max_examples=60, deadline=None)
        @given(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
            | st.lists(st.sampled_from(HOSTILE)).map(" ".join)
        )
        def search(query: str) -> None:
            assert runner.run(by_words(store, f"struct {query}")) == ["struct"]

        search()
        runner.run(store.close())


async def test_a_query_of_megabytes_is_cut_and_answered(store: Store) -> None:
    await index(store, ALICE, "a", chunks("struct"))
    assert await by_words(store, "struct " + "padding " * 200_000) == ["struct"]
    assert await by_words(store, "x" * 1_000_000) == []
