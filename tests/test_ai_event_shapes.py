"""What is read by an event's shape is what the parser reads of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.event_shapes import EventShapes, Said
from shared.ai.frames import AnswerDecoder, Frame

# One event of a text as each provider writes it, the text at %s.
EVENTS = {
    "openai": b'{"id":"chatcmpl-B1","object":"chat.completion.chunk","created":1733382157,'
    b'"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":%s},'
    b'"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x7Qa"}',
    "together": b'{"id":"nz1","object":"chat.completion.chunk","created":1733382157,"choices":[{"index":0,'
    b'"text":" Hi","logprobs":null,"finish_reason":null,"seed":null,"delta":{"token_id":9906,'
    b'"role":"assistant","content":%s,"tool_calls":null}}],"model":"meta-llama/Llama","usage":null}',
    "mistral": b'{"id":"c0","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"content":%s},"finish_reason":null}],"p":"abcdef"}',
    "spaced": b'{"id": "x", "choices": [{"index": 0, "delta": {"content": %s}, "finish_reason": null}]}',
    "first-with-role": b'{"choices":[{"delta":{"role":"assistant","content":%s}}]}',
    "second-choice": b'{"choices":[{"index":1,"delta":{"content":%s}}]}',
    "with-usage": b'{"choices":[{"delta":{"content":%s}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
    "the-end": b'{"choices":[{"delta":{"content":%s},"finish_reason":"stop"}]}',
    "a-refusal": b'{"choices":[{"delta":{"content":%s,"refusal":"no"}}]}',
    "said-twice": b'{"choices":[{"delta":{"content":%s},"message":{"content":"other"}}]}',
    "said-in-vain": b'{"content":"other","choices":[{"delta":{"content":%s}}]}',
    "named-twice": b'{"choices":[{"delta":{"content":"other","content":%s}}]}',
    "an-error": b'{"error":{"message":"m"},"choices":[{"delta":{"content":%s}}]}',
    "in-parts": b'{"choices":[{"delta":{"content":[{"type":"text","text":%s}]}}]}',
    "not-a-number": b'{"x":NaN,"choices":[{"delta":{"content":%s}}]}',
}


def event(form: bytes, text: bytes) -> bytes:
    return b"data: " + form.replace(b"%s", b'"' + text + b'"') + b"\n\n"


class Parser(EventShapes):
    """Knows no shapes, so that all is parsed."""

    def read(self, chunk: bytes) -> tuple[list[Said], int]:
        return [], 0


def told(frames: list[Frame]) -> list[Any]:
    """What they say, without their errors' identity."""
    return [
        frame._replace(failure=frame.failure and (frame.failure.outcome, frame.failure.detail))  # type: ignore[arg-type]  # for ==
        for frame in frames
    ]


def both(*chunks: bytes) -> None:
    """A decoder that learns says the same as one that does not, chunk by chunk."""
    learning, parsing = AnswerDecoder(), AnswerDecoder(shapes=Parser())
    for chunk in (b": hello\n\n", *chunks):
        assert told(learning.feed(chunk)) == told(parsing.feed(chunk))
    assert told(learning.close()) == told(parsing.close())


def learned(form: bytes) -> EventShapes:
    """What a stream of such events has left behind."""
    shapes = EventShapes()
    decoder = AnswerDecoder(shapes=shapes)
    for text in (b"One", b" two"):
        decoder.feed(event(form, text))
    return shapes


READ = ["openai", "together", "mistral", "spaced", "first-with-role", "said-twice", "not-a-number"]


@pytest.mark.parametrize("name", EVENTS)
def test_only_events_that_say_a_text_and_nothing_else_are_read_by_their_shape(name: str) -> None:
    shapes = learned(EVENTS[name])
    data = event(EVENTS[name], rb" th\"re\ne")
    expected = [(' th"re\ne', data[6:-2])] if name in READ else []
    assert shapes.read(data) == (expected, len(data) if expected else 0)
    both(*(event(EVENTS[name], text) for text in (b"One", b" two", rb" th\"re\ne", b"", b" four")))


def test_other_names_and_numbers_fit_too_and_many_events_in_one_chunk() -> None:
    shapes = learned(EVENTS["together"])
    other = EVENTS["together"].replace(b"nz1", b"q").replace(b"9906", b"7").replace(b'" Hi"', b'""')
    data = event(other, " größer".encode())
    said = (" größer", data[6:-2])
    assert shapes.read(data * 3) == ([said] * 3, 3 * len(data))
    assert shapes.read(data * 2 + event(EVENTS["the-end"], b"x") + data) == ([said] * 2, 2 * len(data))


WORDS = st.one_of(
    st.text(max_size=20).map(
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
    ),
    st.text(max_size=20).map(lambda text: json.dumps(text)[1:-1].encode()),
    st.binary(max_size=12),  # quotes, control characters, no UTF-8
)
FORMS = st.sampled_from(list(EVENTS.values()))


@given(st.lists(st.lists(st.tuples(FORMS, WORDS), min_size=1, max_size=3), max_size=12))
def test_streams_of_any_events_say_the_same(chunks: list[list[tuple[bytes, bytes]]]) -> None:
    both(*(b"".join(event(form, text) for form, text in events) for events in chunks))


def changed(data: bytes, change: tuple[str, int, bytes]) -> bytes:
    how, place, other = change
    at = place % (len(data) + 1)
    if how == "cut":
        return data[:at]
    return data[:at] + other + data[at + (len(other) if how == "replace" else 0) :]


CHANGES = st.tuples(
    st.sampled_from(["insert", "replace", "cut"]),
    st.integers(0, 2000),
    st.one_of(
        st.sampled_from([b'"', b"\\", b"\n", b"\r", b"0", b"1", b"null", b",", b"}", b"\xff", b" "]),
        st.binary(),
    ),
)


@given(FORMS, st.lists(st.tuples(WORDS, st.none() | CHANGES), max_size=10))
def test_what_was_changed_anywhere_says_the_same(
    form: bytes, events: list[tuple[bytes, tuple[str, int, bytes] | None]]
) -> None:
    known = [event(form, text) for text in (b"One", b" two")]
    both(*known, *(changed(event(form, text), how) if how else event(form, text) for text, how in events))


@pytest.mark.parametrize("other", [b"\xff", b"\x01", b"\n", b"\r", b'"', b"\\", rb"\u00e9", b"\xc3\xa9"])
def test_values_that_may_differ_must_be_json_too(other: bytes) -> None:
    known = [event(EVENTS["together"], text) for text in (b"One", b" two")]
    both(*known, *(known[0].replace(b"nz1", b"nz" + place + other) for place in (b"", b"1")), *known)


@pytest.mark.parametrize("number", [b"007", b"-1", b"1.5", b"1e3", b"0", b'"1"', b"null", b"true", b"1 "])
def test_numbers_that_may_differ_must_be_whole_ones(number: bytes) -> None:
    known = [event(EVENTS["together"], text) for text in (b"One", b" two")]
    both(*known, known[0].replace(b"1733382157", number), known[0].replace(b"9906", number), *known)


@pytest.mark.parametrize(
    "begun", [b"data: ", b"data: {", b"data", b"event: error\n", b": a comment", b"\r", b"x\n"]
)
def test_what_has_begun_in_an_earlier_chunk_is_not_forgotten(begun: bytes) -> None:
    known = [event(EVENTS["spaced"], text) for text in (b"One", b" two")]
    both(*known, begun, *known, known[0] + begun, *known)
    both(begun, *known, *known)


def test_a_byte_order_mark_within_a_stream_is_none() -> None:
    known = event(EVENTS["spaced"], b"One")
    decoder = AnswerDecoder(shapes=learned(EVENTS["spaced"]))
    assert [frame.text for frame in decoder.feed(known)] == ["One"]
    assert decoder.feed(b"\xef\xbb\xbf" + known) == []


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n: comment\n\n", b"\nevent: x\n\n", b"\n\n\n"])
def test_other_ways_to_end_an_event_say_the_same(end: bytes) -> None:
    for form in EVENTS.values():
        data = event(form, b"One")
        both(*[data[:-2] + end] * 3, data, data[:-2] + end, data)


def test_a_provider_whose_events_always_differ_is_given_up() -> None:
    shapes, learnt = EventShapes(), 0

    def text_of(data: bytes) -> str | None:
        nonlocal learnt
        learnt += 1
        return None

    for number in range(100):
        shapes.learn(b'data: {"n":%d,"content":"x"}\n\n' % number, text_of)
    assert learnt == 16


def test_what_is_remembered_is_bounded() -> None:
    shapes = EventShapes()
    texts: Callable[[bytes], str | None] = lambda data: json.loads(data)["content"]  # noqa: E731  # a parser
    events = [b'data: {"n":%d,"content":"x"}\n\n' % number for number in range(8)]
    for each in events:
        shapes.learn(each, texts)
    assert [bool(shapes.read(each)[1]) for each in events] == [False] * 4 + [True] * 4
    shapes.learn(b'data: {"content":"x","more":"%b"}\n\n' % (b"x" * 5000), texts)
    assert shapes.read(events[4])[1]


def test_the_words_that_are_read_are_those_of_json() -> None:
    shapes = learned(EVENTS["spaced"])
    for character in map(chr, range(1, 0x250)):
        for ascii_only in (True, False):
            data = event(EVENTS["spaced"], json.dumps(character, ensure_ascii=ascii_only)[1:-1].encode())
            said, _ = shapes.read(data)
            assert said == [(character, data[6:-2])] or (not said and re.search(rb"\\u", data))
