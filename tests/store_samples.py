"""Callers, documents and chunks for the store's tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import numpy

from shared.store.store import IndexCounts, Store
from shared.types import Caller, Chunk, Document, DocumentKind

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

MODEL = "test-model"


def tenant(number: int) -> Caller:
    tenant_id = str(UUID(int=number))
    return Caller(
        tenant_id=tenant_id,
        claims={"sub": tenant_id, "role": "authenticated", "app_metadata": {"tenant_id": tenant_id}},
    )


ALICE = tenant(0xA)
BOB = tenant(0xB)


def chunk(text: str, ordinal: int = 0, *, heading_path: tuple[str, ...] = ()) -> Chunk:
    return Chunk(
        ordinal=ordinal,
        text=text,
        start=ordinal * 1000,
        end=ordinal * 1000 + len(text),
        start_line=ordinal,
        end_line=ordinal,
        heading_path=heading_path,
        tokens=len(text.split()),
        text_hash=hashlib.sha256("\n".join((*heading_path, text)).encode(errors="surrogatepass")).hexdigest(),
    )


def chunks(*texts: str) -> list[Chunk]:
    return [chunk(text, ordinal) for ordinal, text in enumerate(texts)]


def vector(*values: float) -> NDArray[float32]:
    return numpy.array(values, dtype=numpy.float32)


async def put(store: Store, caller: Caller, document_id: str, content: str) -> Document:
    return await store.put_document(
        caller, document_id=document_id, title=None, kind=DocumentKind.MARKDOWN, content=content
    )


async def index(
    store: Store,
    caller: Caller,
    document_id: str,
    passages: Sequence[Chunk],
    vectors: Mapping[str, NDArray[float32]] | None = None,
    *,
    model: str | None = MODEL,
) -> IndexCounts:
    """Write a document made of these passages and replace its chunks; vectors are by text."""
    document = await put(store, caller, document_id, "\n\n".join(passage.text for passage in passages))
    by_hash = {passage.text_hash: passage.text for passage in passages}
    return await store.replace_chunks(
        caller,
        document_id=document_id,
        content_hash=document.content_hash,
        model=model,
        chunks=passages,
        vectors={key: vectors[text] for key, text in by_hash.items() if text in (vectors or {})}
        if vectors
        else {},
    )
