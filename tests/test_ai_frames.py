"""Answers as providers really write them, decoded to frames."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.frames import AnswerDecoder, Frame
from shared.types import Outcome, Usage


def decode(*chunks: bytes) -> list[Frame]:
    decoder = AnswerDecoder()
    frames = [frame for chunk in chunks for frame in decoder.feed(chunk)]
    return frames + decoder.close()


def event(document: Any) -> bytes:
    return f"data: {json.dumps(document)}\n\n".encode()


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more})


DONE = b"data: [DONE]\n\n"


def summary(frames: list[Frame]) -> dict[str, Any]:
    """The whole answer: what a caller makes of its frames."""
    failure = next((frame.failure for frame in frames if frame.failure), None)
    return {
        "text": "".join(frame.text for frame in frames),
        "finish": next((frame.finish for frame in frames if frame.finish), None),
        "usage": next((frame.usage for frame in reversed(frames) if frame.usage), None),
        "failure": failure and failure.outcome,
        "done": any(frame.done for frame in frames),
    }


HELLO = chunk({"role": "assistant", "content": ""}) + chunk({"content": "Hel"}) + chunk({"content": "lo"})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(HELLO + chunk({}, "stop") + DONE, {"text": "Hello", "finish": "stop"}, id="plain"),
        pytest.param(HELLO + chunk({}, "length"), {"finish": "length", "done": False}, id="no-done"),
        pytest.param(HELLO + chunk({}, "stop", usage=None), {"usage": None}, id="usage-null"),
        pytest.param(
            HELLO + chunk({}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 2}) + DONE,
            {"usage": Usage(3, 2), "finish": "stop"},
            id="usage-beside-choices",
        ),
        pytest.param(
            HELLO + chunk({}, "stop", x_groq={"usage": {"prompt_tokens": 3, "completion_tokens": 2}}),
            {"usage": Usage(3, 2)},
            id="usage-of-groq",
        ),
        pytest.param(
            chunk({"content": "a"}, usage={"prompt_tokens": 9, "completion_tokens": 0})
            + chunk({}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 11}),
            {"usage": Usage(3, 11)},
            id="the-last-usage-counts",
        ),
        pytest.param(
            event(
                {
                    "choices": [],
                    "usage": {
                        "prompt_tokens": 4,
                        "completion_tokens": 1,
                        "prompt_tokens_details": {"cached_tokens": 2},
                        "completion_tokens_details": {"reasoning_tokens": 1},
                    },
                }
            ),
            {"usage": Usage(4, 1, 2, 1)},
            id="usage-with-empty-choices",
        ),
        pytest.param(
            chunk({}, "stop", usage={"prompt_tokens": 20, "completion_tokens": 151, "total_tokens": 553}),
            {"usage": Usage(20, 533, 0, 382)},
            id="thoughts-that-only-the-total-counts",
        ),
        pytest.param(
            chunk(
                {},
                "stop",
                usage={
                    "prompt_tokens": 20,
                    "completion_tokens": 5,
                    "total_tokens": 85,
                    "completion_tokens_details": {"reasoning_tokens": 60},
                },
            ),
            {"usage": Usage(20, 65, 0, 60)},
            id="thoughts-beside-the-completion",
        ),
        pytest.param(
            chunk(
                {},
                "stop",
                usage={
                    "prompt_tokens": 20,
                    "completion_tokens": 5,
                    "total_tokens": 85,
                    "prompt_tokens_details": {"cached_tokens": 60},
                },
            ),
            {"usage": Usage(20, 5, 60, 0)},
            id="a-total-that-counts-something-else",
        ),
        pytest.param(event({"choices": None}) + event({}) + HELLO, {"text": "Hello"}, id="choices-null"),
        pytest.param(chunk({"content": None}) + HELLO, {"text": "Hello"}, id="content-null"),
        pytest.param(
            chunk({"content": [{"type": "text", "text": "He"}, {"type": "thinking", "thinking": []}]}),
            {"text": "He"},
            id="content-in-parts",
        ),
        pytest.param(
            chunk({"reasoning_content": "hmm"}) + chunk({"reasoning": "hm"}) + HELLO,
            {"text": "Hello"},
            id="reasoning-is-no-text",
        ),
        pytest.param(
            event({"choices": [{"index": 0, "text": "1", "delta": {"content": "1"}}]}),
            {"text": "1"},
            id="text-beside-delta-counts-once",
        ),
        pytest.param(
            event({"choices": [{"index": 1, "delta": {"content": "other"}}]}) + HELLO,
            {"text": "Hello"},
            id="another-choice",
        ),
        pytest.param(b": PROCESSING\n\n" * 3 + HELLO, {"text": "Hello"}, id="comments"),
        pytest.param(HELLO + chunk({}, "eos") + DONE, {"finish": "stop"}, id="another-word-for-stop"),
        pytest.param(HELLO + chunk({}, ""), {"finish": None}, id="an-empty-finish-reason-is-none"),
        pytest.param(HELLO + chunk({}, "function_call"), {"finish": "tool_calls"}, id="function-call"),
        pytest.param(
            HELLO + chunk({}, "content_filter"), {"failure": Outcome.CONTENT_FILTER}, id="content-filter"
        ),
        pytest.param(HELLO + chunk({}, "error"), {"failure": Outcome.SERVER_ERROR}, id="finish-error"),
        pytest.param(
            chunk({}, "function_call_filter: MALFORMED_FUNCTION_CALL"),
            {"failure": Outcome.SERVER_ERROR, "finish": None},
            id="finish-of-google-for-a-call-that-it-cannot-read",
        ),
        pytest.param(
            chunk({}, "content_filter: PROHIBITED_CONTENT"),
            {"failure": Outcome.CONTENT_FILTER},
            id="finish-of-google-for-a-filter",
        ),
        pytest.param(HELLO + chunk({}, "SPII"), {"failure": Outcome.CONTENT_FILTER}, id="finish-spii"),
        pytest.param(
            HELLO + event({"error": {"message": "x", "code": 502}, "choices": []}),
            {"text": "Hello", "failure": Outcome.SERVER_ERROR},
            id="error-of-openrouter",
        ),
        pytest.param(
            HELLO + b'event: error\ndata: {"error":{"message":"x","type":"invalid_request_error",'
            b'"code":"tool_use_failed","status_code":400}}\n\n',
            {"text": "Hello", "failure": Outcome.BAD_REQUEST},
            id="error-event-of-groq",
        ),
        pytest.param(
            event({"error": {"code": "api_error", "message": "x", "type": "invalid_request_error"}}),
            {"failure": Outcome.SERVER_ERROR},
            id="error-of-anthropic",
        ),
        pytest.param(b"event: error\ndata: oops\n\n", {"failure": Outcome.SERVER_ERROR}, id="bare-error"),
        pytest.param(
            event([{"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}]),
            {"failure": Outcome.RATE_LIMITED},
            id="error-of-google",
        ),
        pytest.param(
            event({"message": "x", "type": "too_many_requests_error", "code": "too_many_requests"}),
            {"failure": Outcome.RATE_LIMITED},
            id="error-of-cerebras",
        ),
        pytest.param(
            HELLO + b"data: {broken\n\n" + chunk({"content": "!"}, "stop"),
            {"text": "Hello!", "finish": "stop", "failure": None},
            id="one-malformed-event-is-skipped",
        ),
        pytest.param(
            HELLO + b"data: {broken\n\n" * 2 + chunk({"content": "!"}, "stop"),
            {"text": "Hello", "failure": Outcome.PROTOCOL_ERROR},
            id="a-second-one-is-not",
        ),
        pytest.param(
            json.dumps(
                {
                    "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
                }
            ).encode(),
            {"text": "Hello", "finish": "stop", "usage": Usage(1, 1), "done": True},
            id="a-whole-completion",
        ),
        pytest.param(
            b"\n   \n\n" + json.dumps({"choices": [{"message": {"content": "Hi"}}]}).encode(),
            {"text": "Hi", "finish": None},
            id="white-space-before-a-completion",
        ),
        pytest.param(
            b'{"error": {"message": "x", "code": 429}}', {"failure": Outcome.RATE_LIMITED}, id="200-error"
        ),
        pytest.param(b"<!DOCTYPE html><html>", {"failure": Outcome.PROTOCOL_ERROR}, id="a-web-page"),
        pytest.param(b"", {"failure": Outcome.PROTOCOL_ERROR}, id="nothing"),
        pytest.param(b'{"choices": [{"mess', {"failure": Outcome.PROTOCOL_ERROR}, id="cut-json"),
        pytest.param(b'{"object": "list"}', {"failure": Outcome.PROTOCOL_ERROR}, id="another-document"),
        pytest.param(b"data: " + b"[" * 100_000 + b"\n\n", {"failure": None, "text": ""}, id="deep-nesting"),
        pytest.param(b"data: " + b"x" * (2 << 20), {"failure": Outcome.PROTOCOL_ERROR}, id="a-huge-line"),
    ],
)
def test_an_answer_means_what_its_provider_means(body: bytes, expected: dict[str, Any]) -> None:
    found = summary(decode(body))
    assert {name: found[name] for name in expected} == expected


def test_a_model_that_thinks_is_alive_before_it_says_anything() -> None:
    frames = decode(
        chunk({"role": "assistant"}), chunk({"reasoning_content": "hmm"}), chunk({"tool_calls": [{}]})
    )
    assert [frame.alive for frame in frames] == [False, True, True]


def test_nothing_counts_after_a_failure() -> None:
    failed = HELLO + event({"error": {"message": "m"}})
    frames = decode(failed + HELLO, chunk({}, "stop"), DONE)
    assert summary(frames)["text"] == "Hello"
    assert frames[-1].failure is not None


def test_a_refusal_is_told_from_an_answer() -> None:
    frames = decode(chunk({"refusal": "I cannot"}))
    assert [(frame.refused, frame.text) for frame in frames] == [(True, "")]


whole = json.dumps(
    {"choices": [{"message": {"content": "é😀"}, "finish_reason": "stop"}]}, ensure_ascii=False
)
bodies = st.sampled_from(
    [
        b"\xef\xbb\xbf" + HELLO + chunk({}, "stop") + DONE,
        'data: {"choices":[{"delta":{"content":"é😀"}}]}\r\n\r\n'.encode(),
        b"  " + whole.encode(),
        b"\xef\xbb\xbf" + whole.encode(),
        b"<html>",
    ]
)


@given(bodies, st.data())
def test_an_answer_decodes_the_same_however_it_is_split(body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    edges = [0, *cuts, len(body)]
    chunks = [body[start:end] for start, end in pairwise(edges)]
    assert summary(decode(*chunks)) == summary(decode(body))


@given(st.binary(max_size=300))
def test_no_bytes_raise(body: bytes) -> None:
    decode(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "usage",
                    "error",
                    "code",
                    "message",
                    "index",
                    "finish_reason",
                    "prompt_tokens",
                    "x_groq",
                    "metadata",
                    "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_raises(document: Any) -> None:
    decode(event(document))
    decode(json.dumps(document).encode())
