"""What the store gives, and how it is made from the database's rows and written to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from shared.settings import VECTOR_DIMENSIONS
from shared.types import Attempt, Chunk, Document, DocumentKind, DocumentSummary, JsonObject, Match

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[float32]

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    document: Document
    indexed: bool  # the chunks are those of this very content
    analysis: JsonObject | None  # the stored result, where it still holds


@dataclass(frozen=True, slots=True)
class IndexCounts:
    """What became of a document's chunks. What is neither embedded nor reused has no vector."""

    total: int
    embedded: int  # got a vector now
    reused: int  # kept or share a stored vector
    removed: int  # no longer stand


@dataclass(frozen=True, slots=True)
class Matches:
    matches: tuple[Match, ...]  # best first
    stale_chunks: int  # stood aside, since their document has changed after they were cut
    texts: Mapping[str, str]  # by content_hash: of the documents found, as far as they were asked for


@dataclass(frozen=True, slots=True)
class WholeDocuments:
    """Documents in all their chunks."""

    matches: tuple[Match, ...]  # in the order of the text
    texts: Mapping[str, str]  # by content_hash, as far as they were asked for


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds; None where no row has any."""

    average: float | None
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Totals of one group of the ledger's rows."""

    group: Mapping[str, str]  # by each name of group_by; a day as YYYY-MM-DD, in UTC
    calls: int  # attempts
    failures: int  # neither ok nor cancelled
    requests: int  # told apart by their ids; one may have made several calls
    fallbacks: int  # requests that came here because the task's first provider did not serve them
    hedges: int  # calls
    repairs: int  # calls
    estimated: int  # calls whose tokens the provider did not count
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal | None  # the sum of what is known; None when nothing is
    unknown_costs: int  # rows whose cost is not known
    first_token_ms: Timing  # of every call that came to one
    duration_ms: Timing  # of good answers
    tokens_per_second: float | None  # of good answers: their tokens over the whole time they took


@dataclass(frozen=True, slots=True)
class UsageReport:
    total: UsageRow  # of all rows together
    rows: tuple[UsageRow, ...]  # by group; none where nothing was asked


def _moment(value: object) -> datetime:
    """JSON has no times: PostgREST gives ISO 8601."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.astimezone(UTC)


def document(row: Row) -> Document:
    return Document(
        document_id=row["document_id"],
        title=row["title"],
        kind=DocumentKind(row["kind"]),
        content=row["content"],
        content_hash=row["content_hash"],
        created_at=_moment(row["created_at"]),
        updated_at=_moment(row["updated_at"]),
    )


def summary(row: Row) -> DocumentSummary:
    return DocumentSummary(
        document_id=row["document_id"],
        title=row["title"],
        kind=None if row["kind"] is None else DocumentKind(row["kind"]),
        content_hash=row["content_hash"],
        indexed=row["indexed"],
        created_at=_moment(row["created_at"]),
        updated_at=_moment(row["updated_at"]),
    )


def chunk_row(chunk: Chunk) -> JsonObject:
    return {
        "ordinal": chunk.ordinal,
        "content": chunk.text,
        "start_offset": chunk.start,
        "end_offset": chunk.end,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "heading_path": list(chunk.heading_path),
        "tokens": chunk.tokens,
        "text_hash": chunk.text_hash,
    }


def match(row: Row) -> Match:
    return Match(
        chunk_id=row["chunk_id"],
        document_id=row["document_id"],
        document_title=row["document_title"],
        content_hash=row["content_hash"],
        text=row["content"],
        start=row["start_offset"],
        end=row["end_offset"],
        start_line=row["start_line"],
        end_line=row["end_line"],
        heading_path=tuple(row["heading_path"]),
        similarity=None if row["similarity"] is None else float(row["similarity"]),
        score=float(row["score"]),
    )


def matches(row: Row) -> Matches:
    return Matches(
        matches=tuple(match(found) for found in row["matches"]),
        stale_chunks=row["stale_chunks"],
        texts=dict(zip(row["text_hashes"], row["texts"], strict=True)),
    )


def whole_documents(rows: Sequence[Row]) -> WholeDocuments:
    """The text of a document stands in the row of its first chunk."""
    texts = {row["content_hash"]: row["document_text"] for row in rows if row["document_text"] is not None}
    return WholeDocuments(tuple(match(row) for row in rows), texts)


def padded(vector: Vector) -> Vector:
    """To the column's width, with zeros: that changes no cosine. Raises ValueError for a longer one."""
    import numpy

    if len(vector) > VECTOR_DIMENSIONS:
        raise ValueError(f"a vector of {len(vector)} dimensions; at most {VECTOR_DIMENSIONS} fit")
    wide = numpy.zeros(VECTOR_DIMENSIONS, dtype=numpy.float32)
    wide[: len(vector)] = vector
    return wide


def attempt_row(attempt: Attempt) -> JsonObject:
    """`str`, as enumerations cost the JSON encoder a call into Python each."""
    return {
        "tenant_id": attempt.tenant_id,
        "usage_id": attempt.attempt_id,
        "request_id": attempt.request_id,
        "task": str(attempt.task),
        "provider": attempt.provider,
        "model": attempt.model,
        "outcome": str(attempt.outcome),
        "input_tokens": attempt.usage.input_tokens,
        "output_tokens": attempt.usage.output_tokens,
        "cached_tokens": attempt.usage.cached_tokens,
        "reasoning_tokens": attempt.usage.reasoning_tokens,
        "estimated": attempt.usage.estimated,
        "cost_usd": None if attempt.cost_usd is None else str(attempt.cost_usd),
        "first_token_ms": attempt.first_token_ms,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "code": attempt.code,
        "streamed": attempt.streamed,
        "cause": str(attempt.cause),
        "own_key": attempt.own_key,
        "started_at": attempt.started_at.isoformat(),
    }


_COUNTS = (
    "calls",
    "failures",
    "requests",
    "fallbacks",
    "hedges",
    "repairs",
    "estimated",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "unknown_costs",
)


def usage_report(rows: Sequence[Row], group_by: Sequence[str]) -> UsageReport:
    """The total stands first."""
    total, *groups = rows
    return UsageReport(_usage_row(total, ()), tuple(_usage_row(row, group_by) for row in groups))


def _usage_row(row: Row, group_by: Sequence[str]) -> UsageRow:
    return UsageRow(
        group={name: _group_value(row[name]) for name in group_by},
        cost_usd=None if row["cost_usd"] is None else Decimal(str(row["cost_usd"])),
        first_token_ms=_timing(row, "first_token_ms"),
        duration_ms=_timing(row, "duration_ms"),
        tokens_per_second=row["tokens_per_second"],
        **{name: row[name] for name in _COUNTS},
    )


def _group_value(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _timing(row: Row, name: str) -> Timing:
    return Timing(*(row[f"{name}_{field.name}"] for field in fields(Timing)))
