"""Answers of providers, played by a real server and read by the whole client.

Two sources: recordings that stand beside the repository and may be absent, and the fixtures that were
written for the project (`tests/fixtures/providers`). What a recording should come out as is read from it
in the plainest way; what a fixture should come out as stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared.ai.client import Client
from shared.ai.embeddings import ProviderEmbedder
from shared.ai.inquiry import Inquiry
from shared.errors import ApiError
from shared.providers import PROVIDERS, Provider, Target
from shared.types import Attempt, ChatRequest, Finish, Passthrough, StreamEvent, TextDelta, Verbatim
from tests.simulator import Reply, Simulator
from tests.simulator.asking import CONTEXT, PATIENT, Asker, asking

RECORDINGS = Path(__file__).parents[1].parent / "shared" / "data" / "provider_responses"
FIXTURES = Path(__file__).parent / "fixtures" / "providers"

ROWS = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "google": "google_ai_studio",
    "groq": "groq",
    "ollama": "local",
    "openrouter": "openrouter",
    "together": "together",
}
OPENAI_WIRE = ("chat-completions", "openai-compat-chat")
SPOKEN = (*OPENAI_WIRE, "messages", "completions")  # OpenAI's older completions are alike enough
KEPT_HEADERS = ("retry-after", "x-should-retry")


@dataclass(frozen=True, slots=True)
class Record:
    """One HTTP answer as a provider gave it, or might."""

    id: str
    provider: str
    kind: str  # of endpoint
    status: int
    stream: bool
    body: bytes = field(repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, Any] | None = None

    @property
    def spoken(self) -> bool:
        """Whether it is of a wire that we speak."""
        return self.kind in SPOKEN

    @property
    def row(self) -> Provider:
        """As its provider is reached here; whom we do not know speaks OpenAI's wire."""
        row = PROVIDERS[ROWS.get(self.provider, "openai")]
        known = self.provider in ROWS or self.provider == "openai"
        return row if known else replace(row, name=self.provider)

    @property
    def reply(self) -> Reply:
        return Reply(
            status=self.status,
            body=self.body,
            content_type=self.content_type,
            headers=dict(self.headers),
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """What came out, in the words of our own."""

    outcome: str  # of the attempt: an Outcome's value
    text: str = ""
    tool_calls: tuple[tuple[str, str], ...] = ()  # name and arguments
    finish: str | None = None
    usage: tuple[int, int, int, int] | None = None  # in, out, of these cached and reasoning; None: estimated
    code: str | None = None
    retry_after: float | None = None


def recordings() -> Sequence[Record]:
    """Nothing where they are absent."""
    index = RECORDINGS / "index.jsonl"
    if not index.exists():
        return []
    return [_recording(json.loads(line)) for line in index.read_text(encoding="utf-8").splitlines()]


def _recording(row: Mapping[str, Any]) -> Record:
    headers = {name.lower(): str(value) for name, value in row["headers"].items()}
    return Record(
        id=row["id"],
        provider=row["provider"],
        kind=row["kind"],
        status=row["status"],
        stream=row["stream"],
        body=(RECORDINGS / row["body_file"]).read_bytes(),
        content_type=row["content_type"] or "",
        headers={name: headers[name] for name in KEPT_HEADERS if name in headers},
    )


def fixtures() -> Sequence[Record]:
    rows = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))
    return [_fixture(row) for row in rows]


def _fixture(row: Mapping[str, Any]) -> Record:
    provider, _, shape = row["file"].partition("/")
    kinds = {".sse": "text/event-stream", ".html": "text/html", ".txt": "text/plain"}
    return Record(
        id=f"{provider}-{shape}",
        provider=provider,
        kind=row.get("kind", "messages" if provider == "anthropic" else "chat-completions"),
        status=row.get("status", 200),
        stream=shape.endswith(".sse"),
        body=(FIXTURES / row["file"]).read_bytes(),
        content_type=kinds.get(Path(shape).suffix, "application/json"),
        headers=row.get("headers", {}),
        expected=row["expected"],
    )


# --- played --------------------------------------------------------------------------------------


async def asked_by_a_task(record: Record) -> Answered:
    """As a task asks: a stream, of which only the text is shown."""
    async with Simulator() as sim, asking(limits=replace(PATIENT, max_retries=0)) as asker:
        sim.reply(record.reply)
        heard = await asker.stream([_target(record, sim)])
    return _answered(asker, heard.events, heard.error, heard.text)


async def passed_through(record: Record) -> Answered:
    """As a caller of the gateway asks, who reads the documents as they come."""
    events: list[StreamEvent] = []
    error: ApiError | None = None
    async with Simulator() as sim, asking(limits=replace(PATIENT, max_retries=0)) as asker:
        sim.reply(record.reply)
        target = _target(record, sim)
        body = {
            "model": target.model,
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": record.stream,
        }
        request = ChatRequest((), passthrough=Passthrough(body, target.provider.name, target.model))
        stream = asker.router.stream(Inquiry(request, [target], asker.limits, CONTEXT))
        try:
            async with aclosing(stream) as each:
                async for event in each:
                    events.append(event)  # what came before an error counts too
        except ApiError as failure:
            error = failure
    documents = [
        json.loads(raw) for e in events if isinstance(e, Verbatim) for raw in e.events if raw != b"[DONE]"
    ]
    return replace(_answered(asker, events, error, text_of(documents)), tool_calls=tool_calls_of(documents))


async def embedded(record: Record) -> Attempt:
    """As texts are embedded, as many as were: the row of the attempt. Raises nothing but what is ours."""
    texts = ["a text"] * len(vectors_of(record) or ("",))
    rows: list[Attempt] = []
    client = Client()
    async with Simulator() as sim:
        sim.script(record.reply)
        embedder = ProviderEmbedder(
            client, _target(record, sim), limits=replace(PATIENT, max_retries=0), record=rows.append
        )
        try:
            await embedder.embed(texts, context=CONTEXT)
        except ApiError:
            pass
        finally:
            await client.aclose()
    return rows[0]


def _target(record: Record, simulator: Simulator) -> Target:
    return Target(record.row, "the-model", simulator.base_url, "the-key")


def _answered(asker: Asker, events: Sequence[StreamEvent], error: ApiError | None, text: str) -> Answered:
    row = asker.rows[-1]
    finish = next((event for event in events if isinstance(event, Finish)), None)
    counted = row.usage
    exact = (counted.input_tokens, counted.output_tokens, counted.cached_tokens, counted.reasoning_tokens)
    return Answered(
        outcome=row.outcome.value,
        text=text or "".join(event.text for event in events if isinstance(event, TextDelta)),
        finish=None if finish is None else finish.reason,
        usage=None if counted.estimated or not any(exact) else exact,
        code=row.code,
        retry_after=None if error is None else error.retry_after,
    )


# --- read in the plainest way --------------------------------------------------------------------


def documents_of(record: Record) -> list[Any]:
    """The JSON documents of a body; what is no JSON is passed over."""
    text = record.body.decode("utf-8-sig", "replace").strip()
    lines = [line.removeprefix("data:").strip() for line in text.split("\n") if line.startswith("data:")]
    return [found for part in lines or [text] if (found := _parsed(part)) is not None]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def text_of(documents: Iterable[Any]) -> str:
    """The text of the first choice."""
    parts = [_said(choice).get("content") or choice.get("text") for choice in _first_choices(documents)]
    return "".join(_plain(part) for part in parts)


def tool_calls_of(documents: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    """Name and arguments of each call, put together from its pieces."""
    calls: dict[Any, list[str]] = {}
    for choice in _first_choices(documents):
        for place, call in enumerate(_said(choice).get("tool_calls") or ()):
            function = call.get("function") or {}
            pieces = calls.setdefault(call.get("index", place), ["", ""])
            pieces[0] += function.get("name") or ""
            pieces[1] += function.get("arguments") or ""
    return tuple((name, arguments) for name, arguments in calls.values())


def _first_choices(documents: Iterable[Any]) -> Iterable[Mapping[str, Any]]:
    for document in documents:
        if isinstance(document, dict):
            yield from (c for c in document.get("choices") or () if c.get("index", 0) == 0)


def _said(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    return choice.get("delta") or choice.get("message") or {}


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(_plain(part.get("text")) for part in content)
    return content or ""


def vectors_of(record: Record) -> Sequence[Any]:
    """The vectors of an answer in OpenAI's form, as they are written there."""
    documents = documents_of(record) if record.status == 200 and record.kind == "embeddings" else []
    rows = documents[0].get("data") if documents and isinstance(documents[0], dict) else None
    return [row["embedding"] for row in rows or () if "embedding" in row]


# --- what a recording should come out as ---------------------------------------------------------

_FINISH = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_STOPS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def recorded_answer(record: Record) -> Answered | None:
    """What a good answer of a wire we speak says; None for anything else."""
    documents = [found for found in documents_of(record) if isinstance(found, dict)]
    if record.status != 200 or not record.spoken or not documents:
        return None
    if any(document.get("error") for document in documents):
        return None
    found = _message(documents) if record.kind == "messages" else _completion(documents)
    good = found is not None and found.finish != "content_filter"
    return found if good else None


def _completion(documents: Sequence[Any]) -> Answered | None:
    reasons = [choice.get("finish_reason") for choice in _first_choices(documents)]
    reason = next((reason for reason in reversed(reasons) if reason), None)
    if reason is None or any(_said(choice).get("refusal") for choice in _first_choices(documents)):
        return None
    found = [d.get("usage") or (d.get("x_groq") or {}).get("usage") for d in documents]
    return Answered(
        outcome="ok",
        text=text_of(documents),
        tool_calls=tool_calls_of(documents),
        finish=_FINISH.get(reason, "stop"),
        usage=_counted(next((usage for usage in reversed(found) if usage), None)),
    )


def _counted(usage: Mapping[str, Any] | None) -> tuple[int, int, int, int] | None:
    if usage is None:
        return None
    given = usage.get("prompt_tokens_details") or {}
    made = usage.get("completion_tokens_details") or {}
    return (
        usage["prompt_tokens"],
        usage["completion_tokens"],
        given.get("cached_tokens") or 0,
        made.get("reasoning_tokens") or 0,
    )


def _message(documents: Sequence[Any]) -> Answered | None:
    """Of Anthropic's Messages API, whole or in events."""
    ends = [document.get("delta", document) for document in documents]
    reason = next((end["stop_reason"] for end in reversed(ends) if end.get("stop_reason")), None)
    if reason is None:
        return None
    blocks = _content_blocks(documents)
    usage: dict[str, Any] = {}
    for document in documents:
        for part in (document, document.get("message") or {}):
            usage.update({name: n for name, n in (part.get("usage") or {}).items() if n is not None})
    read, put = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
    thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    return Answered(
        outcome="ok",
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        tool_calls=tuple((b["name"], b["arguments"]) for b in blocks if b["type"] == "tool_use"),
        finish=_STOPS.get(reason, "stop"),
        usage=(usage["input_tokens"] + read + put, usage["output_tokens"], read, thought),
    )


def _content_blocks(documents: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
    """With a call's `arguments` as they are written."""
    if documents[0]["type"] == "message":
        return [{**block, "arguments": block.get("input")} for block in documents[0]["content"]]
    blocks: dict[int, dict[str, Any]] = {}
    for event in documents:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "arguments": ""}
        elif event["type"] == "content_block_delta":
            block, delta = blocks[event["index"]], event["delta"]
            block["text"] = block.get("text", "") + delta.get("text", "")
            block["arguments"] += delta.get("partial_json", "")
    return list(blocks.values())
