"""Which request the code runs for: its id, and its place in a trace (W3C Trace Context).

https://www.w3.org/TR/trace-context-2/#traceparent-header
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass

# A later version may go on after a hyphen; what stands before it is read as version 00.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<parent>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?"
)
_KNOWN_FLAGS = 0b11  # sampled, and that the trace id is random; others must be sent as 0


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace: ids in lower-case hexadecimal."""

    trace_id: str  # 32 digits
    span_id: str  # 16 digits
    flags: int

    @property
    def header(self) -> str:
        """As a `traceparent` says it, in version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def parse_traceparent(header: str) -> TraceContext | None:
    """None for what is not valid: such a header is to be ignored."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None or (found["version"] == "00" and found["rest"] is not None):
        return None
    return TraceContext(found["trace"], found["parent"], int(found["flags"], 16) & _KNOWN_FLAGS)


@dataclass(slots=True)
class CurrentRequest:
    request_id: str
    trace: TraceContext | None  # this server's span of it where there is one, else the caller's


CURRENT: ContextVar[CurrentRequest | None] = ContextVar("marginalia_request", default=None)


def traceparent() -> str | None:
    """What is sent on to whom the current request makes us ask."""
    request = CURRENT.get()
    return None if request is None or request.trace is None else request.trace.header
