"""`traceparent` as W3C Trace Context has it: read, and written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.telemetry.current import TraceContext, parse_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ids = {length: st.text("0123456789abcdef", min_size=length, max_size=length) for length in (16, 32)}


@given(
    trace=ids[32].filter(lambda one: one.strip("0") != ""),
    span=ids[16].filter(lambda one: one.strip("0") != ""),
    flags=st.integers(0, 255),
    version=st.integers(0, 254),
    more=st.text("0123456789abcdef-", max_size=20),
)
def test_a_valid_header_is_read_and_sent_on_in_the_version_we_know(
    trace: str, span: str, flags: int, version: int, more: str
) -> None:
    later = f"-{more}" if version else ""
    found = parse_traceparent(f"{version:02x}-{trace}-{span}-{flags:02x}{later}")
    assert found == TraceContext(trace, span, flags & 3)
    assert parse_traceparent(found.header) == found


@given(st.text())
def test_any_text_is_read_or_ignored(header: str) -> None:
    found = parse_traceparent(header)
    assert found is None or header.startswith(f"{header[:2]}-{found.trace_id}-{found.span_id}-")


@given(st.text("0123456789abcdef-", min_size=54, max_size=56), st.integers(0, 55), st.characters())
def test_what_is_nearly_a_header_makes_no_header_that_is_not_one(nearly: str, place: int, odd: str) -> None:
    for header in (nearly, f"00-{TRACE}-{SPAN}-01"[:place] + odd + f"00-{TRACE}-{SPAN}-01"[place + 1 :]):
        found = parse_traceparent(header)
        if found is not None:
            assert len(found.header) == 55
            assert parse_traceparent(found.header) == found


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",  # a version that is forbidden
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",  # version 00 has no more
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-0١",  # digits, but not ASCII's
    ],
)
def test_a_malformed_header_is_ignored(header: str) -> None:
    assert parse_traceparent(header) is None
