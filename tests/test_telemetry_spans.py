"""Traces and measures through OpenTelemetry's own SDK, as an operator's collector would get them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from shared.telemetry.current import parse_traceparent
from tests.marginalia import with_simulators
from tests.simulator import Reply

CHAT = "/v1/chat/completions"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
DOCUMENT = "The blackbird sings at four in the morning.\n"
SECRETS = ("blackbird", "together-key", "openai-key", "nightingale")
CAPTURE = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}


@dataclass
class Collector:
    spans: InMemorySpanExporter
    metrics: InMemoryMetricReader

    def finished(self, kind: SpanKind) -> list[ReadableSpan]:
        """In the order in which they began."""
        found = [span for span in self.spans.get_finished_spans() if span.kind is kind]
        return sorted(found, key=lambda span: span.start_time or 0)

    def points(self, name: str) -> list[Any]:
        data = self.metrics.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def everything(self) -> str:
        data = self.metrics.get_metrics_data()
        return f"{[span.to_json() for span in self.spans.get_finished_spans()]} {data and data.to_json()}"


def _set_up(monkeypatch: pytest.MonkeyPatch, tracers: TracerProvider) -> Collector:
    """Both providers, until the test ends: the API lets them be set just once."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", tracers)
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", MeterProvider([reader]))
    return Collector(exporter, reader)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    return _set_up(monkeypatch, TracerProvider())


async def ask(client: httpx.AsyncClient, *, stream: bool = False, **headers: str) -> None:
    body = {"model": "together/m", "messages": [{"role": "user", "content": DOCUMENT}], "stream": stream}
    response = await client.post(CHAT, json=body, headers=headers)
    assert response.status_code == 200
    assert response.content


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_request_and_each_of_its_attempts_are_spans_by_the_conventions(
    collector: Collector, database_url: str
) -> None:
    async with with_simulators(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, openai):
        together.reply(Reply(status=503))
        await ask(client, stream=True, **{"x-request-id": "the-request"})
        port = int(httpx.URL(openai.base_url).port or 0)
    (server,) = collector.finished(SpanKind.SERVER)
    assert server.name == f"POST {CHAT}"
    assert attributes(server) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": CHAT,
        "http.route": CHAT,
        "http.response.status_code": 200,
        "marginalia.request_id": "the-request",
    }
    failed, good = collector.finished(SpanKind.CLIENT)
    assert (failed.name, good.name) == ("chat m", "chat gpt-4o")
    assert failed.status.status_code is StatusCode.ERROR
    assert attributes(failed)["error.type"] == "server_error"
    found = attributes(good)
    assert good.status.status_code is StatusCode.UNSET
    assert "error.type" not in found
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.request.model"] == "gpt-4o"
    assert (found["server.address"], found["server.port"]) == ("127.0.0.1", port)
    assert found["gen_ai.usage.output_tokens"] > 0
    assert found["gen_ai.request.stream"] is True
    assert 0 < found["gen_ai.response.time_to_first_chunk"] < 60
    assert found["marginalia.outcome"] == "ok"
    assert found["marginalia.cause"] == "fallback"
    for attempt in (failed, good):
        assert attempt.parent is not None
        assert attempt.parent.span_id == server.context.span_id
        assert (attempt.end_time or 0) >= (attempt.start_time or 0)


async def test_the_measures_are_those_of_the_conventions(collector: Collector, database_url: str) -> None:
    async with with_simulators(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, _):
        await ask(client, stream=True)
        together.reply(Reply(status=503))
        await ask(client)
    durations = {
        (point.attributes["gen_ai.provider.name"], point.attributes.get("error.type")): point.count
        for point in collector.points("gen_ai.client.operation.duration")
    }
    assert durations == {("together", None): 1, ("together", "server_error"): 1, ("openai", None): 1}
    tokens = collector.points("gen_ai.client.token.usage")
    assert {point.attributes["gen_ai.token.type"] for point in tokens} == {"input", "output"}
    assert all(point.sum > 0 for point in tokens)
    (first,) = collector.points("gen_ai.client.operation.time_to_first_chunk")
    assert first.attributes["gen_ai.provider.name"] == "together"
    (requests,) = collector.points("http.server.request.duration")
    assert requests.count == 2
    assert requests.attributes["http.route"] == CHAT


async def test_a_request_that_failed_is_marked(collector: Collector, database_url: str) -> None:
    async with with_simulators(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, openai):
        together.reply(Reply(status=500))
        openai.reply(Reply(status=500))
        body = {"model": "together/m", "messages": [{"role": "user", "content": "?"}]}
        assert (await client.post(CHAT, json=body)).status_code == 502
    (server,) = collector.finished(SpanKind.SERVER)
    assert server.status.status_code is StatusCode.ERROR
    assert attributes(server)["error.type"] == "502"


async def test_embeddings_are_spans_of_their_request_too(collector: Collector, database_url: str) -> None:
    async with with_simulators(database_url, {"AI_EMBEDDING_PROVIDER": "openai"}) as (client, _, _):
        body = {"document_id": "d", "markdown_content": DOCUMENT}
        assert (await client.post("/functions/v1/index-document", json=body)).status_code == 200
    (server,) = collector.finished(SpanKind.SERVER)
    (embedding,) = collector.finished(SpanKind.CLIENT)
    assert embedding.name == "embeddings text-embedding-3-small"
    assert embedding.parent is not None
    assert embedding.parent.span_id == server.context.span_id


async def test_the_caller_s_trace_goes_on_here_and_at_the_provider(
    collector: Collector, database_url: str
) -> None:
    async with with_simulators(database_url) as (client, together, _):
        await ask(client, traceparent=TRACEPARENT)
        (request,) = together.requests
    (server,) = collector.finished(SpanKind.SERVER)
    assert f"{server.context.trace_id:032x}" == TRACE
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == SPAN
    sent = parse_traceparent(request.headers["traceparent"])
    assert sent is not None
    assert (sent.trace_id, sent.span_id) == (TRACE, f"{server.context.span_id:016x}")
    assert sent.flags & 1


async def test_a_trace_that_is_not_sampled_is_passed_on_as_such(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    collector = _set_up(monkeypatch, TracerProvider(sampler=ALWAYS_OFF))
    async with with_simulators(database_url) as (client, together, _):
        await ask(client, traceparent=TRACEPARENT)
        (request,) = together.requests
    assert collector.spans.get_finished_spans() == ()
    sent = parse_traceparent(request.headers["traceparent"])
    assert sent is not None
    assert (sent.trace_id, sent.flags & 1) == (TRACE, 0)


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        ([TRACEPARENT], TRACEPARENT),
        (["00-not-a-trace"], None),
        ([TRACEPARENT, TRACEPARENT], None),
        ([], None),
    ],
)
async def test_without_an_sdk_a_valid_header_is_passed_on_and_another_ignored(
    sent: Sequence[str], passed_on: str | None, database_url: str
) -> None:
    async with with_simulators(database_url) as (client, together, _):
        body = {"model": "together/m", "messages": [{"role": "user", "content": "?"}]}
        headers = [("traceparent", one) for one in sent]
        assert (await client.post(CHAT, json=body, headers=headers)).status_code == 200
        (request,) = together.requests
    assert request.headers.get("traceparent") == passed_on


async def _suggest(client: httpx.AsyncClient) -> None:
    body = {"content": DOCUMENT, "cursor_position": {"line": 1, "character": 0}, "mode": "inline"}
    answer = await client.post("/functions/v1/generate-suggestions", json=body)
    assert "event: done" in answer.text


async def test_nothing_anybody_wrote_and_no_key_is_in_any_telemetry(
    collector: Collector, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with with_simulators(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, openai):
        openai.reply_text("So does the nightingale.")
        for reply in (Reply(text="So does the nightingale."), Reply(status=401), Reply(cut_after=2)):
            together.reply(reply)
            await ask(client)
            await ask(client, stream=True)
            await _suggest(client)
        prometheus = (await client.get("/metrics")).text
    assert len(collector.finished(SpanKind.CLIENT)) >= 9
    for secret in SECRETS:
        assert secret not in collector.everything()
        assert secret not in caplog.text
        assert secret not in prometheus


async def test_what_was_asked_and_answered_is_in_the_span_where_that_is_switched_on(
    collector: Collector, database_url: str
) -> None:
    async with with_simulators(database_url, CAPTURE) as (client, together, _):
        together.reply_text("So does the nightingale.")
        await _suggest(client)
    (span,) = collector.finished(SpanKind.CLIENT)
    asked = json.loads(attributes(span)["gen_ai.input.messages"])
    assert [message["role"] for message in asked] == ["system", "user"]
    assert "blackbird" in asked[1]["parts"][0]["content"]
    assert json.loads(attributes(span)["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "So does the nightingale."}]}
    ]
    assert "together-key" not in collector.everything()


_WITHOUT_SDK = """
import asyncio, sys
from functions import __main__ as server
from shared.settings import Settings
from shared.telemetry.telemetry import open_telemetry
telemetry = open_telemetry(Settings.from_env({}))
assert telemetry.spans is None
found = [name for name in sys.modules if name.startswith("opentelemetry")]
assert not found, found
"""


def test_without_an_sdk_nothing_of_opentelemetry_is_imported() -> None:
    subprocess.run([sys.executable, "-c", _WITHOUT_SDK], check=True, timeout=60)
