"""The fault table, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from tests.simulator import Reply

TEXT = (
    "The fox is quick. It jumps over the lazy dog at the fence. Then it runs away into the deep wood. "
    "There it sleeps until the morning comes."
)
SOME = 20  # tokens, of the 28 of TEXT: enough for a prefill to be worth it
ALL = 28

Moment = Literal[
    "before headers", "before the first token", "after some tokens", "at the end", "all the time"
]


class Kind(StrEnum):
    """Faults that are to be met in the same way."""

    HARMLESS = "odd, and a whole answer all the same"
    ONCE = "once, before anything is shown"
    PASSING = "for ever, before anything is shown, and might pass"
    BUSY = "for ever, with a longer wait than anybody should be kept"
    LEFT = "before anything is shown, and asking again would not help"
    BROKEN = "after something was shown"
    OVERTAKEN = "for ever silent, where the answer comes in one piece or not at all"
    REFUSED = "the request itself is refused: that is the answer"
    REFUSED_LATE = "the answer is refused, after something was shown"
    FILTERED = "a filter has ended the answer, and whoever gets it as it is can see that"


class Fallback(StrEnum):
    HEALTHY = "a healthy fallback"
    REFUSES_PREFILL = "a fallback that rejects its own prefill"
    OTHER_WORDS = "a fallback that says something else"
    FAILS = "a fallback that answers 503"
    NONE = "no fallback"


@dataclass(frozen=True)
class Fault:
    """`outcome` is each failed attempt's; `alone` what the caller gets without any fallback."""

    kind: Kind
    moment: Moment
    reply: Reply
    outcome: str = "ok"
    alone: str = "502 all_providers_failed"
    silent: Literal["", "at first", "later"] = ""  # seen by a timeout, which is made short
    waits: float | None = None  # seconds that the provider names
    unreachable: bool = False  # nothing listens there


_CONTENT_FILTERED = "400 content_filtered"


def _status(status: int, code: str | None = None, **headers: str) -> Reply:
    body = {"error": {"message": "simulated", "type": "x", "param": None, "code": code}}
    return Reply(
        status=status,
        body=json.dumps(body).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


_SLOWLY = Reply(token_delay=0.002)  # so that the text before a fault comes before it
_TIMEOUT = "504 provider_timeout"
_HEADERS: Moment = "before headers"
_FIRST: Moment = "before the first token"
_SOME: Moment = "after some tokens"
_END: Moment = "at the end"
_ALWAYS: Moment = "all the time"

_NAMED = Reply(error_event_name="error")  # the event, not only what it says
_PAGE = Reply(body=b"<html>Bad gateway</html>", content_type="text/html")
_ERROR_IN_200 = Reply(body=b'{"error": {"message": "simulated", "code": 502}}')
_ERROR_LAST = Reply(after_finish=b'data: {"error": {"message": "too late"}}\n\n')

FAULTS: Mapping[str, Fault] = {
    # before headers
    "429": Fault(Kind.PASSING, _HEADERS, _status(429), "rate_limited"),
    "429, back in a second": Fault(
        Kind.PASSING, _HEADERS, _status(429, retry_after="1"), "rate_limited", waits=1.0
    ),
    "429, back in 1500 ms": Fault(
        Kind.PASSING, _HEADERS, _status(429, retry_after_ms="1500"), "rate_limited", waits=1.5
    ),
    "429, back in five seconds": Fault(
        Kind.BUSY, _HEADERS, _status(429, retry_after="5"), "rate_limited", waits=5.0
    ),
    "429, no quota": Fault(Kind.LEFT, _HEADERS, _status(429, "insufficient_quota"), "rate_limited"),
    "500 once": Fault(Kind.ONCE, _HEADERS, _status(500), "server_error"),
    "500": Fault(Kind.PASSING, _HEADERS, _status(500), "server_error"),
    "503 for ever": Fault(Kind.PASSING, _HEADERS, _status(503), "server_error"),
    "502 as a page": Fault(Kind.PASSING, _HEADERS, replace(_PAGE, status=502), "server_error"),
    "408": Fault(Kind.PASSING, _HEADERS, _status(408), "timeout", _TIMEOUT),
    "409": Fault(Kind.PASSING, _HEADERS, _status(409), "server_error"),
    "400": Fault(Kind.LEFT, _HEADERS, _status(400), "bad_request"),
    "401": Fault(Kind.LEFT, _HEADERS, _status(401), "auth_error"),
    "403": Fault(Kind.LEFT, _HEADERS, _status(403), "auth_error"),
    "404": Fault(Kind.LEFT, _HEADERS, _status(404), "not_found"),
    "context length": Fault(
        Kind.LEFT,
        _HEADERS,
        _status(400, "context_length_exceeded"),
        "context_length_exceeded",
        "400 context_length_exceeded",
    ),
    "content filter as a status": Fault(
        Kind.REFUSED, _HEADERS, _status(400, "content_filter"), "content_filtered", _CONTENT_FILTERED
    ),
    "nobody listens": Fault(Kind.PASSING, _HEADERS, Reply(), "connect_error", unreachable=True),
    "reset before headers": Fault(
        Kind.PASSING, _HEADERS, Reply(before_headers="reset"), "connect_error"
    ),
    "reset once before headers": Fault(
        Kind.ONCE, _HEADERS, Reply(before_headers="reset"), "connect_error"
    ),
    "cut before headers": Fault(Kind.PASSING, _HEADERS, Reply(before_headers="cut"), "connect_error"),
    "silence": Fault(
        Kind.LEFT, _HEADERS, Reply(before_headers="stall"), "timeout", _TIMEOUT, silent="at first"
    ),
    "page with status 200": Fault(Kind.PASSING, _HEADERS, _PAGE, "protocol_error"),
    "nothing with status 200": Fault(Kind.PASSING, _HEADERS, Reply(body=b""), "protocol_error"),
    "error with status 200": Fault(Kind.PASSING, _HEADERS, _ERROR_IN_200, "server_error"),
    "slow headers": Fault(Kind.HARMLESS, _HEADERS, Reply(delay=0.1)),
    # before the first token
    "silence after headers": Fault(
        Kind.LEFT, _FIRST, Reply(stall_after=0), "timeout", _TIMEOUT, silent="at first"
    ),
    "slow first token": Fault(Kind.HARMLESS, _FIRST, Reply(first_token_delay=0.1)),
    "first token too slow": Fault(
        Kind.LEFT, _FIRST, Reply(first_token_delay=30.0), "timeout", _TIMEOUT, silent="at first"
    ),
    "nothing but comments": Fault(
        Kind.LEFT,
        _FIRST,
        Reply(comments=10_000, first_token_delay=0.02),
        "timeout",
        _TIMEOUT,
        silent="at first",
    ),
    "comments, then an answer": Fault(
        Kind.HARMLESS, _FIRST, Reply(comments=3, first_token_delay=0.01)
    ),
    "thinking, then an answer": Fault(
        Kind.HARMLESS, _FIRST, Reply(thinking=4, first_token_delay=0.01)
    ),
    "cut after headers": Fault(Kind.PASSING, _FIRST, Reply(cut_after=0), "connect_error"),
    "reset after headers": Fault(Kind.PASSING, _FIRST, Reply(reset_after=0), "connect_error"),
    "end without a token": Fault(Kind.PASSING, _FIRST, Reply(end_after=0), "cut"),
    "error event first": Fault(Kind.PASSING, _FIRST, Reply(error_after=0), "server_error"),
    "event: error first": Fault(
        Kind.PASSING, _FIRST, replace(_NAMED, error_after=0), "server_error"
    ),
    "malformed event first": Fault(Kind.HARMLESS, _FIRST, Reply(malformed_after=(0,))),
    "huge line first": Fault(Kind.PASSING, _FIRST, Reply(huge_line_after=0), "protocol_error"),
    "content filter without a token": Fault(
        Kind.REFUSED, _FIRST, Reply("", finish="content_filter"), "content_filtered", _CONTENT_FILTERED
    ),
    # after some tokens
    "cut": Fault(Kind.BROKEN, _SOME, replace(_SLOWLY, cut_after=SOME), "cut"),
    "reset": Fault(Kind.BROKEN, _SOME, replace(_SLOWLY, reset_after=SOME), "cut"),
    "stall": Fault(
        Kind.BROKEN, _SOME, replace(_SLOWLY, stall_after=SOME), "timeout", _TIMEOUT, silent="later"
    ),
    "slow drip, then a stall": Fault(
        Kind.BROKEN, _SOME, Reply(stall_after=SOME, drip=9), "timeout", _TIMEOUT, silent="later"
    ),
    "end without a finish reason": Fault(
        Kind.BROKEN, _SOME, replace(_SLOWLY, end_after=SOME), "cut"
    ),
    "error event": Fault(Kind.BROKEN, _SOME, replace(_SLOWLY, error_after=SOME), "server_error"),
    "event: error": Fault(
        Kind.BROKEN, _SOME, replace(_NAMED, error_after=SOME, token_delay=0.002), "server_error"
    ),
    "one malformed event": Fault(Kind.HARMLESS, _SOME, Reply(malformed_after=(SOME,))),
    "malformed events": Fault(
        Kind.BROKEN, _SOME, replace(_SLOWLY, malformed_after=(SOME, SOME + 1)), "protocol_error"
    ),
    "huge line": Fault(Kind.BROKEN, _SOME, replace(_SLOWLY, huge_line_after=SOME), "protocol_error"),
    "gzip cut short": Fault(Kind.BROKEN, _SOME, Reply(gzip=True, gzip_cut=120), "cut"),
    # at the end
    "cut before the finish reason": Fault(Kind.BROKEN, _END, replace(_SLOWLY, cut_after=ALL), "cut"),
    "reset before the finish reason": Fault(
        Kind.BROKEN, _END, replace(_SLOWLY, reset_after=ALL), "cut"
    ),
    "stall before the finish reason": Fault(
        Kind.BROKEN, _END, replace(_SLOWLY, stall_after=ALL), "timeout", _TIMEOUT, silent="later"
    ),
    "error event for a finish reason": Fault(
        Kind.BROKEN, _END, replace(_SLOWLY, error_after=ALL), "server_error"
    ),
    "[DONE] without a finish reason": Fault(Kind.BROKEN, _END, replace(_SLOWLY, finish=None), "cut"),
    "content filter after the text": Fault(
        Kind.REFUSED_LATE,
        _END,
        replace(_SLOWLY, finish="content_filter"),
        "content_filtered",
        _CONTENT_FILTERED,
    ),
    "no [DONE]": Fault(Kind.HARMLESS, _END, Reply(done=False)),
    "no [DONE], and left open": Fault(Kind.HARMLESS, _END, Reply(done=False, hang_at_end=True)),
    "no usage": Fault(Kind.HARMLESS, _END, Reply(usage=False)),
    "left open": Fault(Kind.HARMLESS, _END, Reply(hang_at_end=True)),
    "malformed event last": Fault(Kind.HARMLESS, _END, Reply(malformed_after=(ALL,))),
    "error after the finish reason": Fault(Kind.HARMLESS, _END, _ERROR_LAST),
    "gzip without its checksum": Fault(Kind.HARMLESS, _END, Reply(gzip=True, gzip_cut=8)),
    # all the time
    "slow drip": Fault(Kind.HARMLESS, _ALWAYS, Reply(drip=5)),
    "gzip": Fault(Kind.HARMLESS, _ALWAYS, Reply(gzip=True)),
    "wrong charset": Fault(
        Kind.HARMLESS, _ALWAYS, Reply(content_type="text/event-stream; charset=iso-8859-1")
    ),
    "no content type": Fault(Kind.HARMLESS, _ALWAYS, Reply(content_type="")),
    "CRLF": Fault(Kind.HARMLESS, _ALWAYS, Reply(line_end="\r\n")),
    "one JSON object for a stream": Fault(Kind.HARMLESS, _ALWAYS, Reply(ignore_stream=True)),
}  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What comes of a fault. In the words for what a caller sees:

    whole       all of the text, from the first provider
    fallback    all of the text, from the second; the caller cannot tell where it took over
    switch      all of the text, begun by the first and ended by the second; a stream says so
    reset       begun by the first, taken back, and then all that the second says
    filtered    an answer whose finish reason says that a filter has ended it
    502 a_code  an answer with this status and code
    error code  an error in the stream, after some text

    `alone` stands for the fault's own, as in the ledger F stands for its outcome.
    """

    stream: str
    whole: str  # where the answer is not streamed
    first: int  # requests that the first provider saw
    second: int
    ledger: str  # the outcomes of the attempts in their order, first the first provider's
    waits: tuple[float, ...] = ()  # seconds between attempts, half of what is most; or the provider's


_FAILED = "502 all_providers_failed"
_BUSY_TWICE = "server_error server_error"
_BUSY_THRICE = f"{_BUSY_TWICE} server_error"

_EXPECTED: Mapping[tuple[Kind, Fallback], Expected] = {
    (Kind.HARMLESS, Fallback.HEALTHY): Expected("whole", "whole", 1, 0, "ok"),
    (Kind.HARMLESS, Fallback.NONE): Expected("whole", "whole", 1, 0, "ok"),
    (Kind.ONCE, Fallback.HEALTHY): Expected("whole", "whole", 2, 0, "F ok", (0.5,)),
    (Kind.ONCE, Fallback.REFUSES_PREFILL): Expected("whole", "whole", 2, 0, "F ok", (0.5,)),
    (Kind.ONCE, Fallback.FAILS): Expected("whole", "whole", 2, 0, "F ok", (0.5,)),
    (Kind.ONCE, Fallback.NONE): Expected("whole", "whole", 2, 0, "F ok", (0.5,)),
    (Kind.PASSING, Fallback.HEALTHY): Expected("fallback", "fallback", 2, 1, "F F ok", (0.5,)),
    (Kind.PASSING, Fallback.REFUSES_PREFILL): Expected("fallback", "fallback", 2, 1, "F F ok", (0.5,)),
    (Kind.PASSING, Fallback.FAILS): Expected(_FAILED, _FAILED, 2, 2, f"F F {_BUSY_TWICE}", (0.5, 0.5)),
    (Kind.PASSING, Fallback.NONE): Expected("alone", "alone", 4, 0, "F F F F", (0.5, 1.0, 2.0)),
    (Kind.BUSY, Fallback.HEALTHY): Expected("fallback", "fallback", 1, 1, "F ok"),
    (Kind.BUSY, Fallback.REFUSES_PREFILL): Expected("fallback", "fallback", 1, 1, "F ok"),
    (Kind.BUSY, Fallback.FAILS): Expected(_FAILED, _FAILED, 1, 3, f"F {_BUSY_THRICE}", (0.5, 1.0)),
    (Kind.BUSY, Fallback.NONE): Expected("alone", "alone", 4, 0, "F F F F", (5.0, 5.0, 5.0)),
    (Kind.LEFT, Fallback.HEALTHY): Expected("fallback", "fallback", 1, 1, "F ok"),
    (Kind.LEFT, Fallback.REFUSES_PREFILL): Expected("fallback", "fallback", 1, 1, "F ok"),
    (Kind.LEFT, Fallback.FAILS): Expected(_FAILED, _FAILED, 1, 3, f"F {_BUSY_THRICE}", (0.5, 1.0)),
    (Kind.LEFT, Fallback.NONE): Expected("alone", "alone", 1, 0, "F"),
    (Kind.BROKEN, Fallback.HEALTHY): Expected("switch", "fallback", 1, 1, "F ok"),
    (Kind.BROKEN, Fallback.REFUSES_PREFILL): Expected("switch", "fallback", 1, 2, "F bad_request ok"),
    (Kind.BROKEN, Fallback.OTHER_WORDS): Expected("reset", "fallback", 1, 1, "F ok"),
    (Kind.BROKEN, Fallback.FAILS): Expected(
        "error all_providers_failed", _FAILED, 1, 3, f"F {_BUSY_THRICE}", (0.5, 1.0)
    ),
    (Kind.BROKEN, Fallback.NONE): Expected("error alone", "alone", 4, 0, "F F F F", (0.5, 1.0, 2.0)),
    (Kind.REFUSED, Fallback.HEALTHY): Expected("alone", "alone", 1, 0, "F"),
    (Kind.REFUSED, Fallback.NONE): Expected("alone", "alone", 1, 0, "F"),
    (Kind.REFUSED_LATE, Fallback.HEALTHY): Expected("error alone", "alone", 1, 0, "F"),
    (Kind.REFUSED_LATE, Fallback.NONE): Expected("error alone", "alone", 1, 0, "F"),
    (Kind.FILTERED, Fallback.HEALTHY): Expected("filtered", "filtered", 1, 0, "F"),
    (Kind.FILTERED, Fallback.NONE): Expected("filtered", "filtered", 1, 0, "F"),
    (Kind.OVERTAKEN, Fallback.HEALTHY): Expected("", "fallback", 1, 1, "F ok"),
    (Kind.OVERTAKEN, Fallback.FAILS): Expected("", _FAILED, 1, 1, "F server_error"),
    (Kind.OVERTAKEN, Fallback.NONE): Expected("", "alone", 1, 0, "F"),
}  # fmt: skip

# Where a front differs from the others, by its name.
_DIFFERENT: Mapping[str, Mapping[tuple[Kind, Fallback], Expected]] = {
    # JSON is made anew and never gone on with: no prefill is sent that could be refused.
    "analysis": {(Kind.BROKEN, Fallback.REFUSES_PREFILL): Expected("", "fallback", 1, 1, "F ok")},
    # What was sent cannot be taken back.
    "chat stream": {
        (Kind.BROKEN, Fallback.OTHER_WORDS): Expected("error all_providers_failed", "", 1, 1, "F cancelled")
    },
}


@dataclass(frozen=True)
class Row:
    name: str
    fault: Fault
    fallback: Fallback

    def expected(self, front: str) -> Expected:
        """With the fault's own outcome, error and waits put in."""
        key = (self.fault.kind, self.fallback)
        found = _DIFFERENT.get(front, {}).get(key, _EXPECTED[key])
        fault, own = self.fault, found.ledger.split().count("F") - 1
        code = fault.alone.partition(" ")[2]
        return replace(
            found,
            stream=found.stream.replace("error alone", f"error {code}").replace("alone", fault.alone),
            whole=found.whole.replace("alone", fault.alone),
            ledger=found.ledger.replace("F", fault.outcome),
            waits=tuple(
                wait if fault.waits is None or number >= own else fault.waits
                for number, wait in enumerate(found.waits)
            ),
        )


Rows = Mapping[str, tuple[Row, ...]]  # of a fault, by its moment and name


def rows(faults: Mapping[str, Fault]) -> Rows:
    """Each with every fallback that makes a difference."""
    return {
        f"{fault.moment}: {name}": tuple(
            Row(name, fault, fallback) for fallback in Fallback if (fault.kind, fallback) in _EXPECTED
        )
        for name, fault in faults.items()
    }


ROWS = rows(FAULTS)

# --- the gateway ---------------------------------------------------------------------------------
# It gives on what it got: its errors name what a single provider found wrong, and a finish reason
# is for its caller to read.

_LIMITED = "429 rate_limited"
_CHANGED: Mapping[str, Fault] = {
    "429": replace(FAULTS["429"], alone=_LIMITED),
    "429, back in a second": replace(FAULTS["429, back in a second"], alone=_LIMITED),
    "429, back in 1500 ms": replace(FAULTS["429, back in 1500 ms"], alone=_LIMITED),
    "429, back in five seconds": replace(FAULTS["429, back in five seconds"], alone=_LIMITED),
    "429, no quota": replace(FAULTS["429, no quota"], alone=_LIMITED),
    "400": replace(FAULTS["400"], kind=Kind.REFUSED, alone="400 invalid_request"),
    "404": replace(FAULTS["404"], alone="404 not_found"),
    "content filter without a token": replace(FAULTS["content filter without a token"], kind=Kind.FILTERED),
    "content filter after the text": replace(FAULTS["content filter after the text"], kind=Kind.FILTERED),
}
GATEWAY_ROWS = rows({**FAULTS, **_CHANGED})

# An answer in one piece is a body with a length of time and no tokens: nothing of it is shown before
# all of it is there, and silence may mean that it is being written.
_BEFORE_HEADERS = {
    name: fault
    for name, fault in {**FAULTS, **_CHANGED}.items()
    if fault.moment == _HEADERS and not fault.silent
}
_TRUNCATED = Reply(body=b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "The')
_STREAM = Reply(body=b'data: {"choices": [{"index": 0, "delta": {"content": "The"}}]}\n\n')
IN_ONE_PIECE: Mapping[str, Fault] = {
    **_BEFORE_HEADERS,
    "silence": Fault(
        Kind.OVERTAKEN, _HEADERS, Reply(before_headers="stall"), "timeout", _TIMEOUT, silent="at first"
    ),
    "silence after headers": Fault(
        Kind.OVERTAKEN, _FIRST, Reply(first_token_delay=30.0), "timeout", _TIMEOUT, silent="at first"
    ),
    "slow answer": Fault(Kind.HARMLESS, _FIRST, Reply(first_token_delay=0.1)),
    "cut": Fault(Kind.PASSING, _SOME, Reply(cut_after=SOME), "cut"),
    "reset": Fault(Kind.PASSING, _SOME, Reply(reset_after=SOME), "cut"),
    "stall": Fault(Kind.PASSING, _SOME, Reply(stall_after=SOME), "timeout", _TIMEOUT, silent="later"),
    "truncated": Fault(Kind.PASSING, _SOME, _TRUNCATED, "protocol_error"),
    "gzip cut short": Fault(Kind.PASSING, _SOME, Reply(gzip=True, gzip_cut=60), "cut"),
    "a stream for a whole answer": Fault(Kind.PASSING, _SOME, _STREAM, "protocol_error"),
    "no finish reason": Fault(Kind.PASSING, _END, Reply(finish=None), "cut"),
    "content filter without a word": _CHANGED["content filter without a token"],
    "content filter after the text": _CHANGED["content filter after the text"],
    "no usage": FAULTS["no usage"],
    "gzip without its checksum": Fault(Kind.PASSING, _END, Reply(gzip=True, gzip_cut=8), "cut"),
    "slow drip": FAULTS["slow drip"],
    "gzip": FAULTS["gzip"],
    "no content type": FAULTS["no content type"],
}  # fmt: skip
IN_ONE_PIECE_ROWS = rows(IN_ONE_PIECE)
