"""Log lines, for people and as JSON, as the server writes them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.settings import Settings
from shared.telemetry.logs import (
    JsonFormatter,
    LineFormatter,
    LineHandler,
    access_log,
    log_configuration,
    log_request,
)
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, Simulator

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"x-request-id": "r-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
CHAT = {"model": "together/m", "messages": [{"role": "user", "content": "blackbird"}]}


@contextmanager
def written(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    """What a server that logs so writes within."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root, access = logging.getLogger(), logging.getLogger("marginalia")
    before = access.level
    root.addHandler(handler)
    access.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        access.setLevel(before)


async def serve_a_failure(database_url: str) -> None:
    async with Simulator() as together, Simulator() as openai:
        together.reply(Reply(status=401))
        async with marginalia(database_url, two_providers(together.base_url, openai.base_url)) as client:
            answer = await client.post("/v1/chat/completions?key=secret", json=CHAT, headers=HEADERS)
            assert answer.status_code == 200


async def test_json_lines_name_the_request_the_trace_and_what_happened(database_url: str) -> None:
    with written(JsonFormatter()) as stream:
        await serve_a_failure(database_url)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (access,) = [line for line in lines if line["logger"] == "marginalia.access"]
    assert access.pop("ms") > 0
    assert access.pop("time").endswith("+00:00")
    assert access.pop("message").startswith("POST /v1/chat/completions 200 ")
    assert access == {
        "level": "info",
        "logger": "marginalia.access",
        "request_id": "r-1",
        "trace_id": TRACE,
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
    }
    (attempt,) = [line for line in lines if line["logger"] == "shared.ai.calls"]
    assert attempt["level"] == "warning"
    assert (attempt["request_id"], attempt["trace_id"]) == ("r-1", TRACE)
    assert (attempt["provider"], attempt["outcome"], attempt["status"]) == ("together", "auth_error", 401)
    assert "secret" not in stream.getvalue()
    assert "blackbird" not in stream.getvalue()


async def test_lines_for_people_name_the_request_once_and_the_trace(database_url: str) -> None:
    with written(LineFormatter()) as stream:
        await serve_a_failure(database_url)
    (access,) = [line for line in stream.getvalue().splitlines() if " marginalia.access " in line]
    assert access.endswith(f" request_id=r-1 trace_id={TRACE}")
    assert access.count("request_id=") == 1


def _record(message: str, *values: Any) -> logging.LogRecord:
    return logging.LogRecord("marginalia", logging.INFO, __file__, 1, message, values, None)


@given(st.text(), st.one_of(st.integers(), st.text(), st.none(), st.binary()))
def test_any_value_is_one_line_of_json(text: str, value: Any) -> None:
    line = JsonFormatter().format(_record("100%% of it: text=%s other=%s", text, value))
    assert "\n" not in line
    found = json.loads(line)
    assert found["text"] == text
    assert found["other"] == (value if isinstance(value, int | str | None) else str(value))


def test_a_value_cannot_take_the_place_of_what_every_line_has() -> None:
    found = json.loads(JsonFormatter().format(_record("level=%s logger=%s", "forged", "forged")))
    assert (found["level"], found["logger"]) == ("info", "marginalia")


def test_an_access_line_can_be_filtered_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a filter on its own logger, which a record that was made by hand must pass too."""
    monkeypatch.setattr(access_log, "filters", [lambda record: "/health" not in record.getMessage()])
    with written(LineFormatter()) as stream:
        for path in ("/health", "/v1/models"):
            log_request("GET", path, 200, 0.001, "r-1")
    assert [line.split(" GET ")[1] for line in stream.getvalue().splitlines()] == [
        "/v1/models 200 1.0ms request_id=r-1"
    ]


def test_lines_reach_the_handlers_of_the_root_once() -> None:
    loggers = log_configuration("text")["loggers"]
    assert not any(logger.get("handlers") for logger in loggers.values())
    assert all(logger.get("propagate", True) for logger in loggers.values())


def test_a_line_outside_any_request_has_no_ids() -> None:
    assert "request_id" not in json.loads(JsonFormatter().format(_record("started")))
    assert LineFormatter().format(_record("started")).endswith("INFO marginalia started")


@pytest.mark.parametrize(("format", "formatter"), [("json", JsonFormatter), ("lines", LineFormatter)])
def test_the_variable_chooses_the_form(format: Any, formatter: type[logging.Formatter]) -> None:
    chosen = Settings.from_env({"MARGINALIA_LOG": format}).log_format
    configured = logging.config.DictConfigurator(log_configuration(chosen))
    assert isinstance(configured.configure_formatter(configured.config["formatters"]["line"]), formatter)


@pytest.mark.parametrize(
    ("variable", "found"),
    [("MARGINALIA_LOG", "xml"), ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "EVENT_ONLY")],
)
def test_a_wrong_value_names_its_variable(variable: str, found: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{variable}.*{found}"):
        Settings.from_env({variable: found})


class Writes(io.StringIO):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []

    def write(self, text: str) -> int:
        self.all.append(text)
        return len(text)


def line_handler() -> tuple[LineHandler, Writes]:
    handler = LineHandler()
    handler.setStream(writes := Writes())
    return handler, writes


def say(handler: LineHandler, text: str, level: int = logging.INFO) -> None:
    handler.handle(logging.makeLogRecord({"msg": text, "levelno": level}))


async def test_the_lines_of_one_turn_of_the_loop_are_one_write() -> None:
    handler, writes = line_handler()
    say(handler, "one")
    say(handler, "two")
    assert writes.all == []
    await asyncio.sleep(0)
    say(handler, "three")
    await asyncio.sleep(0)
    assert writes.all == ["one\ntwo\n", "three\n"]


async def test_a_warning_is_written_at_once_with_what_came_before_it() -> None:
    handler, writes = line_handler()
    say(handler, "one")
    say(handler, "two", logging.WARNING)
    assert writes.all == ["one\ntwo\n"]


async def test_what_waits_is_written_when_logging_ends() -> None:
    handler, writes = line_handler()
    say(handler, "one")
    handler.flush()
    await asyncio.sleep(0)
    assert writes.all == ["one\n"]


def test_without_a_loop_a_line_is_written_at_once() -> None:
    handler, writes = line_handler()
    say(handler, "one")
    assert writes.all == ["one\n"]
