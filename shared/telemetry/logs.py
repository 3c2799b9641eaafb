"""Log lines for people, or as JSON for machines; both name the request and the trace they belong to.

A message is written as `name=%s` pairs where it has values: in JSON each is a field of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any, TextIO

from shared.settings import LogFormat
from shared.telemetry.current import CURRENT
from shared.types import Json, JsonObject

_PLACEHOLDER = re.compile(r"(?:(?P<name>[a-z][a-z0-9_]*)=)?%(?:%|[-+ #0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z])")
_RESERVED = frozenset({"time", "level", "logger", "message", "exception"})


class LineFormatter(logging.Formatter):
    """`time level logger message`, with the request's id and the trace's where the message lacks them.

    The time is local, as `%(asctime)s` has it; its second is written once for all lines of that second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._written = ""

    def format(self, record: logging.LogRecord) -> str:
        pairs = ""
        if (request := CURRENT.get()) is not None:
            said = str(record.msg)
            if "request_id=" not in said:
                pairs = f" request_id={request.request_id}"
            if request.trace is not None and "trace_id=" not in said:
                pairs += f" trace_id={request.trace.trace_id}"
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {record.getMessage()}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - its name
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._written = time.strftime(self.default_time_format, time.localtime(second))
        return f"{self._written},{record.msecs:03.0f}"


class LineHandler(logging.StreamHandler[TextIO]):
    """To standard error: the lines of one turn of the event loop in one write, warnings at once."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        if isinstance(self.stream, TextIOWrapper):
            self.stream.reconfigure(line_buffering=True)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without a lock, as a line is one write."""
        if self.filters and not self.filter(record):
            return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n"
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # a thread of its own, or no loop at all
                self.stream.write(line)
                return
            self._lines.append(line)
            if record.levelno >= logging.WARNING:
                self.flush()
            elif len(self._lines) == 1:
                loop.call_soon(self.flush)
        except Exception:  # whatever it is, as in the base: logging must not break what it tells of
            self.handleError(record)

    def flush(self) -> None:
        """Writes what waits; `logging` calls it when the process ends, too."""
        lines, self._lines = self._lines, []
        if lines:
            self.stream.write("".join(lines))


def log_request(method: str, path: str, status: int, seconds: float, request_id: str) -> None:
    """The access log's line, as `access_log.info` writes it, without most of the time that takes."""
    if access_log.isEnabledFor(logging.INFO):
        record = logging.LogRecord.__new__(logging.LogRecord)
        now = time.time()
        record.__dict__.update(
            _ACCESS,
            args=(method, path, status, seconds * 1000, request_id),
            created=now,
            msecs=now % 1 * 1000,
            relativeCreated=_ACCESS["relativeCreated"] + (now - _ACCESS["created"]) * 1000,
        )
        access_log.handle(record)


access_log = logging.getLogger("marginalia.access")
_ACCESS = vars(
    logging.makeLogRecord(
        {
            "name": access_log.name,
            "levelno": logging.INFO,
            "levelname": "INFO",
            "msg": "%s %s %d %.1fms request_id=%s",
            "fields": ("method", "path", "status", "ms", "request_id"),  # their names in JSON lines
        }
    )
)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, trace_id and the message's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: JsonObject = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_belongs_to(),
            **dict(_fields(record)),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _belongs_to() -> Mapping[str, str]:
    request = CURRENT.get()
    if request is None:
        return {}
    if request.trace is None:
        return {"request_id": request.request_id}
    return {"request_id": request.request_id, "trace_id": request.trace.trace_id}


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, Json]]:
    """The message's values by name: those that the record gives (`fields`), or that the message writes."""
    if not isinstance(record.args, tuple) or not isinstance(record.msg, str):
        return
    names: Sequence[str | None] = getattr(record, "fields", None) or [
        match["name"] for match in _PLACEHOLDER.finditer(record.msg) if not match[0].endswith("%%")
    ]
    if len(names) != len(record.args):
        return
    for name, value in zip(names, record.args, strict=True):
        if name and name not in _RESERVED:
            yield name, value if isinstance(value, str | int | float | None) else str(value)


def log_configuration(format: LogFormat) -> dict[str, Any]:
    """For `logging.config.dictConfig`: Marginalia's lines from INFO on, everybody's from WARNING on."""
    formatter = JsonFormatter if format == "json" else LineFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{formatter.__module__}.{formatter.__qualname__}"}},
        "handlers": {"stderr": {"class": f"{__name__}.{LineHandler.__name__}", "formatter": "line"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {"marginalia": {"level": "INFO"}},
    }


def log_what_is_shown() -> None:
    """Records no longer hold what no line of ours shows: where in the code, thread, process and task.

    https://docs.python.org/3/howto/logging.html#optimization
    """
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if sys.version_info >= (3, 12):
        logging.logAsyncioTasks = False
