"""The vocabulary of Marginalia. Value objects; imports nothing of ours.

Nobody changes one. What is made for each request or event is not `frozen` all the same, as making one
that is takes three times as long. Positions in text are UTF-16 code units unless a name says
otherwise, because that is what editors (LSP, JavaScript) count in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, TypeAlias

Json: TypeAlias = Any  # what json.loads gives
JsonObject: TypeAlias = dict[str, Any]


_IDS_AT_ONCE = 256
_ids: list[str] = []  # made and not given out yet
if hasattr(os, "register_at_fork"):  # or two processes would give out the same
    os.register_at_fork(after_in_child=_ids.clear)


def random_id() -> str:
    """A UUID of version 4 (RFC 9562, 5.4), of many made at once: asking the system costs most of the time."""
    try:
        return _ids.pop()
    except IndexError:
        digits = os.urandom(16 * (_IDS_AT_ONCE + 1)).hex()
        first, *more = [_uuid4(digits[at : at + 32]) for at in range(0, len(digits), 32)]
        _ids.extend(more)
        return first


def _uuid4(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Task(StrEnum):
    """What a provider is asked for. The first four are configured by AI_<TASK>_PROVIDER."""

    ANALYSIS = "analysis"
    SUGGESTIONS = "suggestions"
    QA = "qa"
    DIAGRAMS = "diagrams"
    EMBEDDING = "embedding"
    GATEWAY = "gateway"


EDITOR_TASKS = (Task.ANALYSIS, Task.SUGGESTIONS, Task.QA, Task.DIAGRAMS)


class Tier(StrEnum):
    """Which of a provider's models: each provider names one per tier."""

    FAST = "fast"
    QUALITY = "quality"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `claims` go to the database as the JWT's claims and decide what its rows are."""

    tenant_id: str
    role: Literal["authenticated", "service_role"] = "authenticated"
    claims: Mapping[str, Json] = field(default_factory=dict)


LOCAL_TENANT_ID = "00000000-0000-4000-8000-000000000001"
LOCAL_CALLER = Caller(
    tenant_id=LOCAL_TENANT_ID,
    claims={
        "sub": LOCAL_TENANT_ID,
        "role": "authenticated",
        "app_metadata": {"tenant_id": LOCAL_TENANT_ID},
    },
)


@dataclass(slots=True)
class CallContext:
    """Whose request an attempt belongs to, for the ledger."""

    request_id: str
    tenant_id: str
    task: Task


# --- asking a provider ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A named JSON Schema the answer must satisfy."""

    name: str
    schema: Mapping[str, Json]


@dataclass(slots=True)
class Passthrough:
    """A caller's own chat completion in OpenAI's form: sent on, and its answer given on, as it is.

    `body` is for the provider and model named; for any other it is fitted to that one's row.
    """

    body: Mapping[str, Json]
    provider: str
    model: str

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))


@dataclass(slots=True)
class ChatRequest:
    """What is asked. No model: the task's targets choose it. None means: not sent."""

    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    temperature: float | None = None
    response_schema: JsonSchema | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: Literal["low", "medium", "high"] | None = None  # for a model that reasons anyway
    passthrough: Passthrough | None = None  # instead of all the above


@dataclass(slots=True)
class Usage:
    """Tokens as the provider counted them, or our estimate when `estimated`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cache_write_tokens: int = 0  # input tokens that the provider put into its cache, which costs more

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated or other.estimated,
            self.cache_write_tokens + other.cache_write_tokens,
        )


class Outcome(StrEnum):
    """How one attempt at one provider ended."""

    OK = "ok"
    CANCELLED = "cancelled"  # the client left, or another attempt won
    CONNECT_ERROR = "connect_error"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    AUTH_ERROR = "auth_error"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    CONTEXT_LENGTH = "context_length_exceeded"
    CONTENT_FILTER = "content_filtered"
    CUT = "cut"  # the stream ended without a finish reason
    PROTOCOL_ERROR = "protocol_error"  # the answer was not what the API promises
    MALFORMED_OUTPUT = "malformed_output"  # a good answer whose text did not satisfy the schema


class Cause(StrEnum):
    """Why an attempt was made."""

    FIRST = "first"
    RETRY = "retry"  # the same provider again
    FALLBACK = "fallback"  # another provider than the task's first one
    HEDGE = "hedge"  # beside one that was slow to begin
    REPAIR = "repair"  # the same provider, told what was wrong with its answer


@dataclass(slots=True)
class Attempt:
    """One request to one provider: one row of `ai_usage`. Cost None means unknown, never free."""

    request_id: str
    tenant_id: str
    task: Task
    provider: str
    model: str
    outcome: Outcome
    usage: Usage
    cost_usd: Decimal | None
    started_at: datetime
    duration_ms: float
    first_token_ms: float | None = None
    status: int | None = None  # HTTP status; None when none came
    code: str | None = None  # the provider's own error code
    streamed: bool = False
    cause: Cause = Cause.FIRST
    own_key: bool = False  # asked with the tenant's own key, so that the tenant pays the provider
    attempt_id: str = field(default_factory=random_id)  # writing it twice gives one row


# --- what a stream of one answer is made of ------------------------------------------------------


@dataclass(slots=True)
class StreamStart:
    provider: str
    model: str


@dataclass(slots=True)
class TextDelta:
    text: str


@dataclass(slots=True)
class Verbatim:
    """What the provider sent, byte by byte: the data of its events, or one whole answer."""

    events: tuple[bytes, ...]
    finished: bool = False  # the finish reason is among them


@dataclass(frozen=True, slots=True)
class Switch:
    """Another provider goes on from here."""

    from_provider: str
    to_provider: str
    to_model: str
    reason: str  # an Outcome's value


@dataclass(frozen=True, slots=True)
class Reset:
    """Drop the text sent so far: what follows starts anew."""


@dataclass(slots=True)
class Finish:
    """The answer is whole. Provider and model are those that served its last part."""

    provider: str
    model: str
    reason: Literal["stop", "length", "tool_calls", "content_filter"]
    usage: Usage  # of all attempts together
    cost_usd: Decimal | None  # None when any attempt's cost is unknown
    attempts: int


StreamEvent: TypeAlias = StreamStart | TextDelta | Verbatim | Switch | Reset | Finish


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: a collected stream."""

    text: str
    finish: Finish


# --- documents, chunks, anchors ------------------------------------------------------------------


class DocumentKind(StrEnum):
    """Which of a document's content fields is its context."""

    MARKDOWN = "markdown"
    TYPESCRIPT = "typescript"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document. `content` is its context: the first content field that is not null."""

    document_id: str
    title: str
    kind: DocumentKind
    content: str
    content_hash: str  # SHA-256 of the content's UTF-8, hexadecimal
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    document_id: str
    title: str
    kind: DocumentKind | None  # None: all three content fields are null
    content_hash: str | None
    indexed: bool  # chunks of this very content are searchable
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: `content[start:end]` in UTF-16 code units, verbatim."""

    ordinal: int  # 0-based position among the document's chunks
    text: str
    start: int  # UTF-16 code units
    end: int
    start_line: int  # 0-based, as in LSP
    end_line: int  # 0-based, inclusive
    heading_path: tuple[str, ...]  # from the outermost heading inwards
    tokens: int
    text_hash: str  # SHA-256 of what is embedded (heading path and text), hexadecimal


@dataclass(frozen=True, slots=True)
class Match:
    """A retrieved chunk. `chunk_id` is stable while the chunk's text stands in its document."""

    chunk_id: str
    document_id: str
    document_title: str
    content_hash: str
    text: str
    start: int
    end: int
    start_line: int
    end_line: int
    heading_path: tuple[str, ...]
    similarity: float | None  # cosine, None when found by words alone
    score: float  # fused rank; only its order means something


@dataclass(frozen=True, slots=True)
class Position:
    start: int  # UTF-16 code units
    end: int


@dataclass(frozen=True, slots=True)
class Quote:
    exact: str
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in a document's text, by position and by quote.

    W3C Web Annotation Data Model, 4.2.4 TextQuoteSelector and 4.2.5 TextPositionSelector
    (https://www.w3.org/TR/annotation-model/), positions in UTF-16 code units.
    """

    content_hash: str
    position: Position
    quote: Quote
    document_id: str | None = None

    def to_json(self) -> JsonObject:
        return {
            "document_id": self.document_id,
            "content_hash": self.content_hash,
            "position": {"start": self.position.start, "end": self.position.end},
            "quote": {
                "exact": self.quote.exact,
                "prefix": self.quote.prefix,
                "suffix": self.quote.suffix,
            },
        }


@dataclass(frozen=True, slots=True)
class Meta:
    """What stands in every answer's `meta`."""

    request_id: str
    provider: str | None = None
    model: str | None = None
    cached: bool = False
    degraded: bool = False
    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        return {
            "request_id": self.request_id,
            "provider": self.provider,
            "model": self.model,
            "cached": self.cached,
            "degraded": self.degraded,
            "attempts": self.attempts,
            "usage": {
                "input_tokens": self.usage.input_tokens,
                "output_tokens": self.usage.output_tokens,
            },
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            **self.extra,
        }
