"""`Store`: the database's functions, typed. What carries a call is behind `Transport`.

Ranking, atomic replacement and totals live in SQL (`migrations/`); nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from shared.errors import InvalidRequest, NotFound, RevisionSuperseded, StoreUnavailable, Unprocessable
from shared.store import records
from shared.store.records import (
    IndexCounts,
    Matches,
    Row,
    StoredDocument,
    Timing,
    UsageReport,
    UsageRow,
    WholeDocuments,
)
from shared.types import (
    LOCAL_CALLER,
    Attempt,
    Caller,
    Chunk,
    Document,
    DocumentKind,
    DocumentSummary,
    Json,
    JsonObject,
)

if TYPE_CHECKING:
    from shared.store.records import Vector

__all__ = [
    "NOT_MIGRATED",
    "SERVICE_CALLER",
    "USAGE_GROUPS",
    "IndexCounts",
    "JsonArgument",
    "Matches",
    "Store",
    "StoredDocument",
    "Timing",
    "Transport",
    "UsageReport",
    "UsageRow",
    "WholeDocuments",
]

NOT_MIGRATED = "The database is not migrated: run `marginalia migrate`"
USAGE_GROUPS = ("task", "provider", "model", "outcome", "day")
SERVICE_CALLER = Caller(
    tenant_id=LOCAL_CALLER.tenant_id, role="service_role", claims={"role": "service_role"}
)


@dataclass(frozen=True, slots=True)
class JsonArgument:
    """An argument of type jsonb, so that a transport does not take its list for an array."""

    value: Json


class Transport(Protocol):
    """Carries one call of one SQL function, as a caller, in one round trip."""

    async def call(self, caller: Caller, function: str, arguments: Mapping[str, object]) -> list[Row]:
        """The function's rows, by column.

        An argument is None, a str, int, float, list of str, JsonArgument, a numpy vector, or a list
        of numpy vectors and None. A value in a row is what JSON has, or datetime, date and Decimal
        where the transport is not JSON.

        Raises StoreUnavailable, Unprocessable, Forbidden.
        """
        ...

    async def close(self) -> None: ...


class Store:
    """Every method raises StoreUnavailable when the database is away, Unprocessable for what it cannot
    hold (U+0000, half of a surrogate pair), and Forbidden for a caller without a tenant that writes."""

    def __init__(self, transport: Transport, *, needed_version: str = "") -> None:
        """`needed_version`: the newest migration that this code counts on."""
        self._transport = transport
        self._needed_version = needed_version

    async def close(self) -> None:
        await self._transport.close()

    async def ping(self) -> str:
        """The newest migration's version, YYYYMMDDHHMMSS.

        Raises StoreUnavailable also when the database is not migrated as far as this code needs.
        """
        rows = await self._transport.call(LOCAL_CALLER, "schema_version", {})
        version = str(rows[0]["version"])
        if version < self._needed_version:
            raise StoreUnavailable(NOT_MIGRATED)
        return version

    # --- documents -------------------------------------------------------------------------------

    async def get_document(
        self,
        caller: Caller,
        document_id: str,
        *,
        analysis_type: str | None = None,
        analysis_version: str | None = None,
    ) -> StoredDocument:
        """The document, with its analysis of this type where content and version (None: any) still hold.

        Raises NotFound, and Unprocessable for a document without content.
        """
        rows = await self._transport.call(
            caller,
            "get_document",
            {
                "p_document_id": document_id,
                "p_analysis_type": analysis_type,
                "p_analysis_version": analysis_version,
            },
        )
        if not rows:
            raise _unknown_document()
        if rows[0]["content"] is None:
            raise Unprocessable("The document has no content", param="document_id")
        return StoredDocument(records.document(rows[0]), rows[0]["indexed"], rows[0]["analysis"])

    async def list_documents(
        self, caller: Caller, *, limit: int = 100, after: str | None = None
    ) -> list[DocumentSummary]:
        """The next documents by id, after the id `after`."""
        rows = await self._transport.call(caller, "list_documents", {"p_limit": limit, "p_after": after})
        return [records.summary(row) for row in rows]

    async def put_document(
        self, caller: Caller, *, document_id: str, title: str | None, kind: DocumentKind, content: str
    ) -> Document:
        """Write one content field and empty the others. No title keeps the stored one, else takes the id.

        Raises Unprocessable for an id that is not of 1 to 512 characters, or content of kind JSON
        that is none.
        """
        rows = await self._transport.call(
            caller,
            "put_document",
            {"p_document_id": document_id, "p_kind": kind.value, "p_content": content, "p_title": title},
        )
        return records.document(rows[0])

    async def delete_document(self, caller: Caller, document_id: str) -> None:
        """With its chunks and analyses. Raises NotFound."""
        if not await self._transport.call(caller, "delete_document", {"p_document_id": document_id}):
            raise _unknown_document()

    async def put_analysis(
        self,
        caller: Caller,
        *,
        document_id: str,
        analysis_type: str,
        content_hash: str,
        version: str,
        result: JsonObject,
    ) -> bool:
        """False, and nothing stored, when the document's content is no longer that of `content_hash`."""
        rows = await self._transport.call(
            caller,
            "put_analysis",
            {
                "p_document_id": document_id,
                "p_analysis_type": analysis_type,
                "p_analysis_version": version,
                "p_content_hash": content_hash,
                "p_result": JsonArgument(result),
            },
        )
        return bool(rows)

    # --- chunks ----------------------------------------------------------------------------------

    async def embedded_text_hashes(self, caller: Caller, document_id: str, model: str) -> frozenset[str]:
        """Of the chunks that have a vector of this model: these texts need none."""
        rows = await self._transport.call(
            caller, "embedded_text_hashes", {"p_document_id": document_id, "p_model": model}
        )
        return frozenset(str(row["text_hash"]) for row in rows)

    async def replace_chunks(
        self,
        caller: Caller,
        *,
        document_id: str,
        content_hash: str,
        model: str | None,
        chunks: Sequence[Chunk],
        vectors: Mapping[str, Vector],
    ) -> IndexCounts:
        """Replace all chunks of a document at once. `vectors` are by text_hash, of `model`; where one is
        missing, the stored vector of the same text and model is used again, if there is one.

        Raises NotFound, and RevisionSuperseded when the document's content is no longer that of
        `content_hash`: then nothing has changed.
        """
        arguments = {
            "p_document_id": document_id,
            "p_content_hash": content_hash,
            "p_chunks": JsonArgument([records.chunk_row(chunk) for chunk in chunks]),
            "p_model": model,
            "p_vectors": [
                None if (vector := vectors.get(chunk.text_hash)) is None else records.padded(vector)
                for chunk in chunks
            ]
            if vectors
            else None,
        }
        rows = await self._transport.call(caller, "replace_document_chunks", arguments)
        if not rows:
            raise _unknown_document()
        if not rows[0].pop("applied"):
            raise RevisionSuperseded(
                "The document has changed while it was being indexed", param="document_id"
            )
        return IndexCounts(**rows[0])

    async def match_document_chunks(
        self,
        caller: Caller,
        *,
        query_text: str | None,
        query_embedding: Vector | None = None,
        query_model: str | None = None,
        document_ids: Sequence[str] | None = None,
        match_threshold: float = 0.0,
        match_count: int = 10,
        text_bytes: int = 0,
    ) -> Matches:
        """Hybrid search; by words alone without a vector, by the vector alone without words.

        `match_threshold` is the least cosine of what is found by vector. `document_ids` None: every
        document of the caller; empty: none. The texts of the documents found come along, those of the best
        matches first, as many as have no more than `text_bytes` together.
        """
        rows = await self._transport.call(
            caller,
            "search_document_chunks",
            {
                "query_embedding": None if query_embedding is None else records.padded(query_embedding),
                "query_text": query_text,
                "document_ids": None if document_ids is None else list(document_ids),
                "match_threshold": match_threshold,
                "match_count": match_count,
                "query_model": query_model,
                "text_bytes": text_bytes,
            },
        )
        return records.matches(rows[0])

    async def read_chunks(
        self, caller: Caller, document_ids: Sequence[str], *, max_tokens: int, text_bytes: int = 0
    ) -> WholeDocuments:
        """The documents named, whole and in the order of their text: as many as fit into `max_tokens`.

        One that is unknown, or not indexed as it stands now, is left out. Their texts come along, the first
        ones, as many as have no more than `text_bytes` together.
        """
        arguments = {
            "p_document_ids": list(document_ids),
            "p_max_tokens": max_tokens,
            "p_text_bytes": text_bytes,
        }
        rows = await self._transport.call(caller, "read_document_chunks", arguments)
        return records.whole_documents(rows)

    # --- ledger ----------------------------------------------------------------------------------

    async def record_usage(self, attempts: Sequence[Attempt], *, caller: Caller = SERVICE_CALLER) -> None:
        """Append to the ledger, in one round trip. A tenant's own caller may append its own rows only."""
        if attempts:
            rows = [records.attempt_row(attempt) for attempt in attempts]
            await self._transport.call(caller, "record_usage", {"p_rows": JsonArgument(rows)})

    async def usage(
        self,
        caller: Caller,
        *,
        since: timedelta,
        group_by: Sequence[str] = (),
        provider: str | None = None,
    ) -> UsageReport:
        """The ledger's totals of the last `since`, of one provider or all, in the order of the groups' names.

        Raises InvalidRequest for a name that is not in USAGE_GROUPS.
        """
        if unknown := [name for name in group_by if name not in USAGE_GROUPS]:
            raise InvalidRequest(
                f"found {unknown[0]!r}; allowed are {', '.join(USAGE_GROUPS)}", param="group_by"
            )
        rows = await self._transport.call(
            caller,
            "usage_summary",
            {
                "p_seconds": since.total_seconds(),
                "p_group_by": list(group_by),
                "p_provider": provider,
            },
        )
        return records.usage_report(rows, group_by)


def _unknown_document() -> NotFound:
    return NotFound("No such document", param="document_id")
