"""OpenTelemetry spans and metrics, by its API alone; an SDK set up before the app starts turns them on.

Names are those of the semantic conventions for HTTP and, at schema 1.42, for GenAI clients
(https://github.com/open-telemetry/semantic-conventions-genai). One difference: the conventions put
retries into one span, while here each attempt is one, as it can be another provider's and costs apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from shared.telemetry.current import TraceContext
from shared.types import Attempt, Message, Outcome, Task

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer

Attributes: TypeAlias = dict[str, str | int | float | bool]

SCOPE = "marginalia"
SCHEMA_URL = "https://opentelemetry.io/schemas/gen-ai/1.42.0"

# The conventions' names of providers where they differ from ours.
_PROVIDER_NAMES: Mapping[str, str] = {"google_ai_studio": "gcp.gemini"}
_PORTS: Mapping[str, int] = {"http": 80, "https": 443}
_DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4**power for power in range(14))


@dataclass(frozen=True, slots=True)
class ServerSpan:
    """One request's span, while it is the current one."""

    span: Span
    token: Token[Context] | None  # None: somebody else's span, who will end it
    trace: TraceContext | None  # None: spans go nowhere, only metrics do


@dataclass(frozen=True, slots=True)
class Said:
    """What an attempt was asked and what it answered."""

    messages: Sequence[Message]
    text: str


def open_spans(addresses: Mapping[str, str], *, capture: bool) -> Spans | None:
    """None where nobody has set up an SDK: then nothing of OpenTelemetry is even imported.

    `addresses` are the providers' base URLs. With `capture` spans hold what was asked and answered.
    """
    if "opentelemetry.trace" not in sys.modules and "opentelemetry.metrics" not in sys.modules:
        return None
    from opentelemetry import metrics, trace

    tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    if type(tracers).__module__ == trace.__name__ and type(meters).__module__.startswith(metrics.__name__):
        return None  # the API's own, which only wait for an SDK's
    return Spans(
        trace.get_tracer(SCOPE, schema_url=SCHEMA_URL),
        metrics.get_meter(SCOPE, schema_url=SCHEMA_URL),
        {name: _server(url) for name, url in addresses.items()},
        capture=capture,
    )


class Spans:
    def __init__(
        self, tracer: Tracer, meter: Meter, servers: Mapping[str, Attributes], *, capture: bool
    ) -> None:
        from opentelemetry import context, trace

        self._context = context
        self._trace = trace
        self._tracer = tracer
        self._servers = servers
        self.capture = capture
        self._request_duration = meter.create_histogram(
            "http.server.request.duration", "s", "Duration of HTTP server requests."
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time to receive the first chunk.",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._usage = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    # --- requests ------------------------------------------------------------------------------

    def begin(
        self, method: str, scheme: str, path: str, request_id: str, caller: TraceContext | None
    ) -> ServerSpan:
        """The current span from here to `end`; its own child of the caller's."""
        trace = self._trace
        outer = trace.get_current_span()
        if outer.get_span_context().is_valid:  # an instrumentation of ASGI has made it
            return ServerSpan(outer, None, _place(outer))
        span = self._tracer.start_span(
            method,
            context=None if caller is None else self._remote(caller),
            kind=trace.SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.scheme": scheme,
                "url.path": path,
                "marginalia.request_id": request_id,
            },
        )
        token = self._context.attach(trace.set_span_in_context(span))
        return ServerSpan(span, token, _place(span))

    def end(
        self, begun: ServerSpan, method: str, scheme: str, route: str | None, status: int, seconds: float
    ) -> None:
        attributes: Attributes = {
            "http.request.method": method,
            "url.scheme": scheme,
            "http.response.status_code": status,
        }
        if route:
            attributes["http.route"] = route
        if status >= 500:
            attributes["error.type"] = str(status)
        self._request_duration.record(seconds, attributes)
        if begun.token is None:
            return
        self._context.detach(begun.token)
        begun.span.update_name(f"{method} {route}" if route else method)
        begun.span.set_attributes(attributes)
        if status >= 500:
            begun.span.set_status(self._trace.StatusCode.ERROR)
        begun.span.end()

    def _remote(self, place: TraceContext) -> Context:
        trace = self._trace
        parent = trace.SpanContext(
            int(place.trace_id, 16),
            int(place.span_id, 16),
            is_remote=True,
            trace_flags=trace.TraceFlags(place.flags),
        )
        context: Context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        return context

    # --- attempts ------------------------------------------------------------------------------

    def attempt(self, row: Attempt, model_label: str, said: Said | None) -> None:
        """A span from the row's start to its end, a child of the request's, and its measures."""
        common = self._common(row)
        started = int(row.started_at.timestamp() * 1e9)
        span = self._tracer.start_span(
            f"{common['gen_ai.operation.name']} {row.model}",
            kind=self._trace.SpanKind.CLIENT,
            attributes={**common, "gen_ai.request.model": row.model, **_details(row), **_content(said)},
            start_time=started,
        )
        if "error.type" in common:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(started + int(row.duration_ms * 1e6))
        self._measure(row, {**common, "gen_ai.request.model": model_label})

    def _common(self, row: Attempt) -> Attributes:
        attributes: Attributes = {
            "gen_ai.operation.name": "embeddings" if row.task is Task.EMBEDDING else "chat",
            "gen_ai.provider.name": _PROVIDER_NAMES.get(row.provider, row.provider),
            **self._servers.get(row.provider, {}),
        }
        if row.outcome not in (Outcome.OK, Outcome.CANCELLED):
            attributes["error.type"] = row.outcome.value
        return attributes

    def _measure(self, row: Attempt, attributes: Attributes) -> None:
        self._duration.record(row.duration_ms / 1000, attributes)
        if row.streamed and row.first_token_ms is not None:
            self._first_chunk.record(row.first_token_ms / 1000, attributes)
        if not row.usage.estimated and row.outcome is Outcome.OK:
            for kind, tokens in (("input", row.usage.input_tokens), ("output", row.usage.output_tokens)):
                self._usage.record(tokens, {**attributes, "gen_ai.token.type": kind})


def _details(row: Attempt) -> Attributes:
    """What a span says and a measure does not."""
    usage = row.usage
    details: Attributes = {
        "marginalia.request_id": row.request_id,
        "marginalia.task": row.task.value,
        "marginalia.outcome": row.outcome.value,
        "marginalia.cause": row.cause.value,
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "marginalia.usage.estimated": usage.estimated,
    }
    if usage.cached_tokens:
        details["gen_ai.usage.cache_read.input_tokens"] = usage.cached_tokens
    if usage.reasoning_tokens:
        details["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    if row.cost_usd is not None:
        details["marginalia.cost_usd"] = float(row.cost_usd)
    if row.streamed:
        details["gen_ai.request.stream"] = True
        if row.first_token_ms is not None:
            details["gen_ai.response.time_to_first_chunk"] = row.first_token_ms / 1000
    if row.status is not None:
        details["http.response.status_code"] = row.status
    return details


def _content(said: Said | None) -> Attributes:
    """By the conventions' JSON schemas of messages."""
    if said is None:
        return {}
    asked = [
        {"role": message.role, "parts": [{"type": "text", "content": message.content}]}
        for message in said.messages
    ]
    content: Attributes = {"gen_ai.input.messages": json.dumps(asked, ensure_ascii=False)}
    if said.text:
        answer = {"role": "assistant", "parts": [{"type": "text", "content": said.text}]}
        content["gen_ai.output.messages"] = json.dumps([answer], ensure_ascii=False)
    return content


def _server(url: str) -> Attributes:
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        return {}
    return {"server.address": parts.hostname, "server.port": port}


def _place(span: Span) -> TraceContext | None:
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags))
