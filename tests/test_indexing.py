"""Indexing against the real database, with the built-in embedder and one that can be made to fail."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.errors import AllProvidersFailed, ApiError, NotFound, ProviderTimeout, RevisionSuperseded
from shared.indexing import IndexResult, index_document
from shared.store.store import Store
from shared.types import CallContext, Document, DocumentKind, Task
from tests.store_samples import ALICE, put

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

CONTEXT = CallContext("request", ALICE.tenant_id, Task.EMBEDDING)
SECTIONS = {
    "Keys": "Keys are rotated every ninety days by the night job.",
    "Caches": "The cache holds sixty-four entries and forgets the oldest.",
    "Queues": "A queue keeps its messages until they are acknowledged.",
}


class CountingEmbedder:
    """The built-in embedder under a provider's name, that keeps what it was asked, and fails when told to."""

    def __init__(self, model: str = "openai/text-embedding-3-small") -> None:
        self.model = model
        self.asked: list[str] = []
        self.error: ApiError | None = None
        self._embedder = BuiltinEmbedder()

    async def embed(self, texts: Sequence[str], *, context: CallContext) -> NDArray[float32]:
        self.asked.extend(texts)
        if self.error:
            raise self.error
        return await self._embedder.embed(texts)


def guide(sections: dict[str, str] = SECTIONS) -> str:
    return "# Guide\n\n" + "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())


async def index(store: Store, embedder: CountingEmbedder, content: str) -> IndexResult:
    document = await put(store, ALICE, "guide", content)
    return await index_document(store, embedder, ALICE, document, context=CONTEXT)


async def matched(store: Store, embedder: CountingEmbedder, query: str) -> list[str]:
    vector = (await embedder.embed([query], context=CONTEXT))[0]
    found = await store.match_document_chunks(
        ALICE, query_text=None, query_embedding=vector, query_model=embedder.model, match_count=1
    )
    return [match.text for match in found.matches]


async def test_a_document_is_cut_embedded_and_found(store: Store) -> None:
    embedder = CountingEmbedder()
    result = await index(store, embedder, guide())
    assert (result.counts.total, result.counts.embedded, result.counts.reused) == (3, 3, 0)
    assert (result.provider, result.model, result.without_vectors) == (
        "openai", "text-embedding-3-small", False,
    )  # fmt: skip
    assert embedder.asked[1].startswith("Guide › Caches\n\n## Caches\n\nThe cache")
    assert await matched(store, embedder, "entries of the cache") == [f"## Caches\n\n{SECTIONS['Caches']}"]


async def test_indexing_again_asks_for_nothing(store: Store) -> None:
    embedder = CountingEmbedder()
    await index(store, embedder, guide())
    embedder.asked.clear()
    result = await index(store, embedder, guide())
    assert embedder.asked == []
    assert (result.counts.total, result.counts.embedded, result.counts.reused) == (3, 0, 3)
    assert (result.usage.input_tokens, result.cost_usd) == (0, Decimal(0))


async def test_an_edited_section_is_the_only_one_embedded_again(store: Store) -> None:
    embedder = CountingEmbedder()
    await index(store, embedder, guide())
    embedder.asked.clear()
    result = await index(store, embedder, guide({**SECTIONS, "Caches": "The cache holds nothing any more."}))
    assert [text.splitlines()[0] for text in embedder.asked] == ["Guide › Caches"]
    assert (result.counts.embedded, result.counts.reused, result.counts.removed) == (1, 2, 1)


async def test_a_text_that_stands_twice_is_embedded_once(store: Store) -> None:
    embedder = CountingEmbedder()
    content = "# Same\n\nWords.\n\n# Same\n\nWords.\n"
    result = await index(store, embedder, content)
    assert len(embedder.asked) == 1
    assert (result.counts.total, result.without_vectors) == (2, False)


async def test_another_model_embeds_all_anew(store: Store) -> None:
    await index(store, CountingEmbedder(), guide())
    other = CountingEmbedder("together/other")
    result = await index(store, other, guide())
    assert (len(other.asked), result.counts.embedded) == (3, 3)


@pytest.mark.parametrize("error", [AllProvidersFailed("down"), ProviderTimeout("late")])
async def test_without_the_embedder_a_document_is_found_by_its_words(store: Store, error: ApiError) -> None:
    embedder = CountingEmbedder()
    embedder.error = error
    result = await index(store, embedder, guide())
    assert (result.counts.total, result.counts.embedded, result.without_vectors) == (3, 0, True)
    assert (result.provider, result.model, result.cost_usd) == (None, None, None)
    found = await store.match_document_chunks(ALICE, query_text="cache entries", match_count=1)
    assert [match.heading_path for match in found.matches] == [("Guide", "Caches")]


async def test_vectors_that_exist_are_kept_when_the_embedder_fails(store: Store) -> None:
    embedder = CountingEmbedder()
    await index(store, embedder, guide())
    embedder.error = AllProvidersFailed("down")
    result = await index(store, embedder, guide({**SECTIONS, "Caches": "Written anew."}))
    assert (result.counts.reused, result.counts.embedded, result.without_vectors) == (2, 0, True)


async def test_what_was_left_without_a_vector_gets_one_at_the_next_time(store: Store) -> None:
    embedder = CountingEmbedder()
    embedder.error = AllProvidersFailed("down")
    await index(store, embedder, guide())
    embedder.error = None
    result = await index(store, embedder, guide())
    assert (result.counts.embedded, result.without_vectors) == (3, False)


async def test_a_provider_costs_what_its_tokens_cost_and_the_built_in_one_nothing(store: Store) -> None:
    result = await index(store, CountingEmbedder(), guide())
    assert result.usage.estimated
    assert result.usage.input_tokens > 30
    assert result.cost_usd is not None
    assert 0 < result.cost_usd < Decimal("0.0001")
    unknown = await index(store, CountingEmbedder("openai/of-unknown-price"), guide())
    assert unknown.cost_usd is None
    free = await index_document(
        store, BuiltinEmbedder(), ALICE, await put(store, ALICE, "guide", guide()), context=CONTEXT
    )
    assert (free.provider, free.model, free.cost_usd) == ("builtin", "hashed-words-v1", Decimal(0))


async def test_a_document_that_has_changed_meanwhile_is_not_indexed(store: Store) -> None:
    document = await put(store, ALICE, "guide", guide())
    await put(store, ALICE, "guide", "# Other\n\nText.")
    with pytest.raises(RevisionSuperseded):
        await index_document(store, CountingEmbedder(), ALICE, document, context=CONTEXT)


async def test_an_unknown_document_is_not_found(store: Store) -> None:
    document = await put(store, ALICE, "guide", guide())
    await store.delete_document(ALICE, "guide")
    with pytest.raises(NotFound):
        await index_document(store, CountingEmbedder(), ALICE, document, context=CONTEXT)


class ForgetfulStore(Store):
    """Whose vectors are gone between the question for them and their use: another has indexed meanwhile."""

    forgets = True

    async def embedded_text_hashes(self, caller: object, document_id: str, model: str) -> frozenset[str]:
        known = await super().embedded_text_hashes(ALICE, document_id, model)
        if self.forgets and known:
            self.forgets = False
            document = (await self.get_document(ALICE, document_id)).document
            await self.replace_chunks(
                ALICE,
                document_id=document_id,
                content_hash=document.content_hash,
                model=None,
                chunks=[],
                vectors={},
            )
        return known


async def test_vectors_that_vanish_meanwhile_are_made_again(store: Store) -> None:
    embedder = CountingEmbedder()
    await index(store, embedder, guide())
    forgetful = ForgetfulStore(store._transport)
    result = await index(forgetful, embedder, guide())
    assert (result.counts.embedded, result.without_vectors) == (3, False)


async def test_a_document_of_white_space_is_indexed_as_nothing(store: Store) -> None:
    result = await index(store, CountingEmbedder(), " \n ")
    assert (result.counts.total, result.without_vectors) == (0, False)


@pytest.mark.parametrize(
    ("kind", "content"),
    [(DocumentKind.TYPESCRIPT, "export const answer = 42;\n"), (DocumentKind.JSON, '{"answer": 42}')],
)
async def test_code_and_data_are_indexed_too(store: Store, kind: DocumentKind, content: str) -> None:
    document: Document = await store.put_document(
        ALICE, document_id="other", title=None, kind=kind, content=content
    )
    result = await index_document(store, CountingEmbedder(), ALICE, document, context=CONTEXT)
    assert (result.counts.total, result.counts.embedded) == (1, 1)
