"""Finding the passages that a query is about, by vector and by words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.errors import AllProvidersFailed, ProviderTimeout
from shared.settings import BUILTIN_EMBEDDER
from shared.text.positions import Utf16Text
from shared.types import Caller, Match

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from shared.indexing import Embedder
    from shared.store.store import Store
    from shared.types import CallContext

COUNT = 8  # passages, see docs/retrieval.md
MAX_QUERY = 8000  # characters that are looked for
_LONG = 100_000  # characters of texts whose places are counted in a thread

# Measured: higher ones lose what misspelt questions ask for. Of a model that was not measured everything may
# be found.
_BUILTIN_THRESHOLD = 0.05
_UNKNOWN_THRESHOLD = 0.0

# Of `confidence`: what is below is not worth a model's time. On SQuAD 2.0 it refuses 46 of 100 questions that
# the documents have nothing on, and 1 of 100 that they answer, see docs/quality.md.
WEAK = 0.1
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH_TEXT = """
the is are of to what which who whose how when where why does do did with and for from it that this these has
have be been can should would could their there they its as by at or
"""
_ENGLISH = frozenset(_ENGLISH_TEXT.split())


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found, best first."""

    matches: tuple[Match, ...]
    stale_chunks: int  # stood aside, since their document has changed after they were cut
    embedded: bool  # False: found by words alone, the query has no vector
    # by content_hash: of the documents found, as far as they were asked for
    texts: Mapping[str, Utf16Text] = field(default_factory=dict)


async def retrieve(
    store: Store,
    embedder: Embedder,
    caller: Caller,
    *,
    query: str,
    document_ids: Sequence[str] | None,
    count: int = COUNT,
    text_bytes: int = 0,
    context: CallContext,
) -> Retrieved:
    """The `count` best passages of these documents; None: of all that the caller may read.

    The whole texts of as many of their documents come along, best first, as have no more than `text_bytes`
    (UTF-8) together. Where the query cannot be embedded, words alone decide. Raises StoreUnavailable.
    """
    query = query[:MAX_QUERY].replace("\0", " ")
    vector = await _query_vector(embedder, query, context)
    found = await store.match_document_chunks(
        caller,
        query_text=query,
        query_embedding=vector,
        query_model=embedder.model,
        document_ids=document_ids,
        match_threshold=threshold(embedder.model),
        match_count=count,
        text_bytes=text_bytes,
    )
    texts = await with_places(found.texts)
    return Retrieved(found.matches, found.stale_chunks, embedded=vector is not None, texts=texts)


async def with_places(texts: Mapping[str, str]) -> dict[str, Utf16Text]:
    """Texts whose UTF-16 places have been counted, so that asking for one takes no time."""
    counted = {content_hash: Utf16Text(text) for content_hash, text in texts.items()}
    if sum(map(len, texts.values())) > _LONG:
        await asyncio.to_thread(lambda: [text.to_index(text.utf16_length) for text in counted.values()])
    return counted


def is_weak(question: str, matches: Sequence[Match], model: str) -> bool:
    """Whether the passages are so far from the question that no model need be asked about them.

    `model` is the embedder's. Known of English alone, and of the embedder built in, which finds by forms of
    words: one that knows meanings finds what shares no word with the question, and was not measured.
    """
    from shared.text.offline.answers import confidence
    from shared.text.offline.terms import terms

    if not matches:
        return True
    measured = model.startswith(f"{BUILTIN_EMBEDDER}/") and terms(question)
    if not measured or not _is_english(question) or not all(_is_english(match.text) for match in matches):
        return False
    return confidence(question, matches) < WEAK


def _is_english(text: str) -> bool:
    """Whether one word in ten is a word that English texts are full of and others lack."""
    words = _WORD.findall(text.lower())
    return sum(word in _ENGLISH for word in words) * 10 >= max(1, len(words))


def threshold(model: str) -> float:
    """The least cosine at which a passage may be found by its vector alone."""
    return _BUILTIN_THRESHOLD if model.startswith(f"{BUILTIN_EMBEDDER}/") else _UNKNOWN_THRESHOLD


async def _query_vector(embedder: Embedder, query: str, context: CallContext) -> NDArray[float32] | None:
    if not query.strip():
        return None
    try:
        vectors = await embedder.embed([query], context=context)
    except (AllProvidersFailed, ProviderTimeout):
        return None
    first: NDArray[float32] = vectors[0]
    return first
