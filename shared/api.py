"""What goes over the wire: the bodies the endpoints take and give, as Pydantic models.

Positions are UTF-16 code units, lines and characters 0-based (LSP 3.17). Strict: a number in quotes
is not a number. Unknown fields are refused, so that a misspelt one is not silently lost.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

DocumentId = Annotated[str, Field(min_length=1, max_length=512, description="Any text, often a path")]
Title = Annotated[str, Field(min_length=1, max_length=1000)]
StreamFormat = Literal["events", "openai", "ui-message", "text"]

MAX_QUESTION = 8_000  # characters
MAX_CONCEPT = 4_000
MAX_DOCUMENT_IDS = 100
MAX_HISTORY = 50
MAX_ANCHORS = 10_000


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)  # built at first use


class AnalyzeDocumentBody(Body):
    document_id: DocumentId | None = None
    content: str | None = Field(None, description="Unsaved text, instead of the stored document's")
    refresh: bool = Field(False, description="Analyse anew though the content has not changed")
    stream: bool = Field(False, description="Tell each part as it is done")


class CursorPosition(Body):
    line: int = Field(ge=0, description="0-based")
    character: int = Field(ge=0, description="0-based, UTF-16 code units")


class GenerateSuggestionsBody(Body):
    content: str
    cursor_position: CursorPosition
    document_id: DocumentId | None = None
    count: int = Field(3, ge=1, le=5)
    mode: Literal["suggest", "inline"] = "suggest"
    session: str | None = Field(None, min_length=1, max_length=200)
    revision: int | None = Field(None, ge=0)


class HistoryMessage(Body):
    role: Literal["user", "assistant"]
    content: str = Field(max_length=32_000)


class AnswerQuestionBody(Body):
    question: str = Field(max_length=MAX_QUESTION)
    document_id: DocumentId | None = None
    document_ids: list[DocumentId] | None = Field(None, max_length=MAX_DOCUMENT_IDS)
    history: list[HistoryMessage] = Field(default_factory=list, max_length=MAX_HISTORY)
    stream: bool = False


class CreateDiagramBody(Body):
    concept: str = Field(max_length=MAX_CONCEPT)
    document_id: DocumentId | None = None
    context: str | None = Field(None, description="Text to draw from, instead of a stored document")
    diagram_type: str | None = Field(None, description="None: chosen to suit the concept")
    svg: bool = Field(False, description="Draw it too, where the server has the extra `svg`")


class DocumentBody(Body):
    """One of the three content fields; the first that is not null is the document's context."""

    title: Title | None = None
    markdown_content: str | None = None
    typescript_content: str | None = None
    json_file: JsonValue = None


class IndexDocumentBody(DocumentBody):
    document_id: DocumentId


class PositionBody(Body):
    start: int = Field(ge=0, description="UTF-16 code units")
    end: int = Field(ge=0)


class QuoteBody(Body):
    exact: str
    prefix: str = ""
    suffix: str = ""


class AnchorBody(Body):
    """As anchors are given in answers."""

    document_id: DocumentId | None = None
    content_hash: str = Field(max_length=128)
    position: PositionBody
    quote: QuoteBody


class RebaseAnchorsBody(Body):
    anchors: list[AnchorBody] = Field(max_length=MAX_ANCHORS)
    content: str | None = Field(None, description="The newer text, instead of the stored document's")
    document_id: DocumentId | None = None


class ChatMessage(Body):
    model_config = ConfigDict(extra="allow", defer_build=True)

    role: str
    content: str | list[JsonValue] | None = None


class ChatCompletionBody(Body):
    """OpenAI's body, checked in `shared/gateway.py`; unknown fields go to the provider as they are."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    messages: list[ChatMessage] = Field(min_length=1)
    model: str = Field(description="provider/model, or a model of the one that is named or is the only one")
    provider: str | None = Field(None, description="A known provider; the model needs no prefix then")
    stream: bool = False
    n: int = Field(1, ge=1, le=128)


# --- answers -------------------------------------------------------------------------------------


class Answer(BaseModel):
    """Described, not validated: built only when the description is asked for."""

    model_config = ConfigDict(defer_build=True)


class UsageAnswer(Answer):
    input_tokens: int
    output_tokens: int


class MetaAnswer(Answer):
    model_config = ConfigDict(extra="allow", defer_build=True)

    request_id: str
    provider: str | None
    model: str | None
    cached: bool
    degraded: bool = Field(description="True: a deterministic answer made without any model")
    attempts: int = Field(description="Requests to providers, failed ones included")
    usage: UsageAnswer
    cost_usd: float | None = Field(description="None: the cost is not known")


class PositionAnswer(Answer):
    start: int
    end: int


class QuoteAnswer(Answer):
    exact: str
    prefix: str
    suffix: str


class AnchorAnswer(Answer):
    """W3C Web Annotation selectors; positions in UTF-16 code units."""

    document_id: str | None
    content_hash: str
    position: PositionAnswer
    quote: QuoteAnswer


class RebasedAnchor(Answer):
    status: Literal["unchanged", "moved", "stale"]
    anchor: AnchorAnswer | None = Field(description="None where it is stale")


class RebaseAnswer(Answer):
    content_hash: str = Field(description="Of the newer text")
    anchors: list[RebasedAnchor] = Field(description="In the order they were sent")


class MissingSection(Answer):
    title: str
    reason: str
    after_heading: str | None
    outline: list[str]


class Improvement(Answer):
    id: str = Field(description="Stable while its text stands")
    severity: int = Field(ge=1, le=4, description="LSP: 1 error, 2 warning, 3 information, 4 hint")
    category: str
    message: str
    anchor: AnchorAnswer
    replacement: str | None = Field(None, description="What to put in place of the anchor's quote")


class Scores(Answer):
    """Each 0 to 100."""

    completeness: int
    clarity: int
    structure: int


class AnalysisAnswer(Answer):
    summary: str
    missing_sections: list[MissingSection]
    improvements: list[Improvement]
    scores: Scores
    meta: MetaAnswer


class CitationAnswer(Answer):
    marker: int
    document_id: str
    document_title: str
    chunk_id: str
    anchor: AnchorAnswer
    support: Literal["verified", "paraphrase"]


class QuestionAnswer(Answer):
    answer: str
    citations: list[CitationAnswer]
    unsupported: list[str]
    abstained: bool
    meta: MetaAnswer


class DiagramAnswer(Answer):
    mermaid: str
    diagram_type: str
    title: str
    graph: dict[str, JsonValue]
    nodes: dict[str, AnchorAnswer]
    meta: MetaAnswer
    svg: str | None = Field(
        None,
        description="When asked for: the picture; null where it could not be drawn, as meta.picture says",
    )


class ChunkCounts(Answer):
    total: int
    embedded: int
    reused: int
    removed: int


class IndexAnswer(Answer):
    document_id: str
    content_hash: str
    chunks: ChunkCounts
    meta: MetaAnswer


class DocumentSummaryAnswer(Answer):
    document_id: str
    title: str
    kind: Literal["markdown", "typescript", "json"] | None
    content_hash: str | None
    indexed: bool
    created_at: str
    updated_at: str


class DocumentAnswer(Answer):
    document_id: str
    title: str
    markdown_content: str | None
    typescript_content: str | None
    json_file: JsonValue
    content_hash: str
    created_at: str
    updated_at: str


class DocumentListAnswer(Answer):
    documents: list[DocumentSummaryAnswer]
    next_after: str | None = Field(description="Give it as ?after= for the next page")


class ChatCompletionAnswer(Answer):
    """As the provider gave it; x-marginalia-provider and x-marginalia-model say who that is."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    id: str
    model: str
    choices: list[JsonValue]


class StatusAnswer(Answer):
    model_config = ConfigDict(extra="allow", defer_build=True)

    status: str


class ErrorBody(Answer):
    model_config = ConfigDict(extra="allow", defer_build=True)

    message: str
    type: str
    param: str | None
    code: str
    request_id: str


class ErrorAnswer(Answer):
    error: ErrorBody
