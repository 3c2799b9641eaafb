"""Making a document searchable: cut, embed what is new, replace its chunks at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, TypeAlias

from shared.ai.prices import cost_usd
from shared.errors import AllProvidersFailed, ProviderTimeout
from shared.settings import BUILTIN_EMBEDDER
from shared.text.chunking import chunk_document, embedded_text
from shared.types import Caller, Chunk, Document, Usage

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from shared.store.store import IndexCounts, Store
    from shared.types import CallContext

    Vectors: TypeAlias = Mapping[str, NDArray[float32]]  # by text_hash

_TRIES = 2  # stored vectors can be gone by the time they are to be used again


class Embedder(Protocol):
    """Makes vectors of texts. Those of two models are never compared."""

    @property
    def model(self) -> str:
        """`provider/model`: the name that vectors are stored under."""
        ...

    async def embed(self, texts: Sequence[str], *, context: CallContext) -> NDArray[float32]:
        """Shape (texts, 1536), each of length 1. Raises AllProvidersFailed or ProviderTimeout."""
        ...


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What indexing did. The ledger has what it cost to the token; here it is as estimated."""

    counts: IndexCounts
    model: str | None  # None, and no provider: the embedder could not be asked
    provider: str | None
    without_vectors: bool  # some chunks are found by their words alone
    usage: Usage
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class _Embedded:
    vectors: Vectors
    tokens: int
    failed: bool


async def index_document(
    store: Store, embedder: Embedder, caller: Caller, document: Document, *, context: CallContext
) -> IndexResult:
    """Replace the document's chunks by those of its content; texts that have a vector keep it.

    Where the embedder fails, new chunks have no vector and are found by their words. Raises NotFound,
    RevisionSuperseded when the stored content is no longer the document's, StoreUnavailable.
    """
    chunks = await asyncio.to_thread(chunk_document, document.content, document.kind)
    tokens = 0
    for _ in range(_TRIES):
        known = await store.embedded_text_hashes(caller, document.document_id, embedder.model)
        embedded = await _embed_new(embedder, chunks, known, context)
        tokens += embedded.tokens
        counts = await store.replace_chunks(
            caller,
            document_id=document.document_id,
            content_hash=document.content_hash,
            model=embedder.model,
            chunks=chunks,
            vectors=embedded.vectors,
        )
        if embedded.failed or not _lacks_vectors(counts):
            break
    return _result(counts, embedder.model, tokens, failed=embedded.failed)


async def _embed_new(
    embedder: Embedder, chunks: Sequence[Chunk], known: frozenset[str], context: CallContext
) -> _Embedded:
    new = {chunk.text_hash: chunk for chunk in chunks if chunk.text_hash not in known}
    if not new:
        return _Embedded({}, 0, failed=False)
    texts = [embedded_text(chunk.text, chunk.heading_path) for chunk in new.values()]
    try:
        vectors = await embedder.embed(texts, context=context)
    except (AllProvidersFailed, ProviderTimeout):
        return _Embedded({}, 0, failed=True)
    tokens = sum(chunk.tokens for chunk in new.values())
    return _Embedded(dict(zip(new, vectors, strict=True)), tokens, failed=False)


def _lacks_vectors(counts: IndexCounts) -> bool:
    return counts.embedded + counts.reused < counts.total


def _result(counts: IndexCounts, name: str, tokens: int, *, failed: bool) -> IndexResult:
    provider, _, model = name.partition("/")
    usage = Usage(input_tokens=tokens, estimated=True)
    return IndexResult(
        counts=counts,
        model=None if failed else model,
        provider=None if failed else provider,
        without_vectors=_lacks_vectors(counts),
        usage=usage,
        cost_usd=None if failed else _cost(provider, model, usage),
    )


def _cost(provider: str, model: str, usage: Usage) -> Decimal | None:
    if provider == BUILTIN_EMBEDDER or usage.input_tokens == 0:
        return Decimal(0)
    return cost_usd(provider, model.partition("@")[0], usage)
