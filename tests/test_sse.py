from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.text.sse import (
    CitationEvent,
    Delta,
    Done,
    ErrorEvent,
    EventsEncoder,
    Item,
    ResetEvent,
    Start,
    StreamMessage,
    SwitchEvent,
    choose_format,
    encode_json,
)
from shared.types import Anchor, Meta, Position, Quote
from tests.sse_decoder import decode

ANCHOR = Anchor("abc", Position(0, 2), Quote("Hi"), "doc")
META = Meta("r1", provider="together", model="m")

# Everything a line reader could trip over, half surrogate pairs too.
ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=30) | st.sampled_from(
    ["\r\n\r\n", "data: [DONE]\n\n", "\u2028\u2029\x85", "\ud83d", "\ude00", "\0", "\ufeff", "😀"]
)
INDEX = st.integers(0, 4)
MESSAGES: st.SearchStrategy[StreamMessage] = st.one_of(
    st.builds(Start, ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT),
    st.builds(Delta, INDEX, ANY_TEXT),
    st.builds(Item, INDEX, ANY_TEXT, st.none() | st.just(ANCHOR)),
    st.builds(SwitchEvent, ANY_TEXT, ANY_TEXT, ANY_TEXT),
    st.builds(ResetEvent, INDEX),
    st.builds(CitationEvent, st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3)),
    st.builds(Done, st.just(META), st.dictionaries(st.just("answer"), ANY_TEXT)),
    st.builds(ErrorEvent, st.fixed_dictionaries({"error": st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3)})),
)


def expected(message: StreamMessage) -> tuple[str, dict[str, Any]]:
    match message:
        case Start(request_id, task, provider, model):
            return "start", {"request_id": request_id, "task": task, "provider": provider, "model": model}
        case Delta(index, text):
            return "delta", {"index": index, "text": text}
        case Item(index, text, None):
            return "item", {"index": index, "text": text}
        case Item(index, text, anchor):
            assert anchor is not None
            return "item", {"index": index, "text": text, "anchor": anchor.to_json()}
        case SwitchEvent(source, target, reason):
            return "switch", {"from": source, "to": target, "reason": reason}
        case ResetEvent(index):
            return "reset", {"index": index}
        case CitationEvent(data):
            return "citation", data
        case Done(meta, result):
            return "done", {"meta": meta.to_json(), **result}
        case ErrorEvent(body):
            return "error", body


def joined(value: Any) -> Any:
    """As JavaScript holds it: two halves of a surrogate pair beside each other are one character."""
    return json.loads(json.dumps(value))


@given(st.lists(MESSAGES, max_size=12))
@settings(max_examples=150, deadline=None)
def test_what_is_encoded_decodes_to_the_same_events_with_ids_counting_up(
    messages: list[StreamMessage],
) -> None:
    encoder = EventsEncoder()
    stream = b"".join(encoder.encode(message) for message in messages)
    events = decode(stream)
    assert [(event.name, json.loads(event.data)) for event in events] == [
        (expected(message)[0], joined(expected(message)[1])) for message in messages
    ]
    assert [event.id for event in events] == [str(n + 1) for n in range(len(messages))]


@given(ANY_TEXT)
@settings(max_examples=200, deadline=None)
def test_json_stays_on_one_line_for_every_reader_of_lines(text: str) -> None:
    encoded = encode_json({"text": text})
    assert len(encoded.splitlines()) == 1
    assert json.loads(encoded.encode().decode()) == joined({"text": text})


def test_json_keeps_letters_of_other_scripts_readable() -> None:
    assert encode_json("żółw 😀") == '"żółw 😀"'


def test_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json({"score": float("nan")})


@pytest.mark.parametrize(
    ("query", "accept", "chosen"),
    [
        (None, None, "default"),
        (None, "", "default"),
        (None, "*/*", "default"),
        (None, "application/json", "default"),
        (None, "application/json, text/plain, */*", "default"),  # axios
        (None, "text/event-stream", "events"),
        (None, "Text/Event-Stream; charset=utf-8", "events"),
        (None, "text/plain", "text"),
        (None, "text/html, text/event-stream;q=0.5", "events"),
        (None, "text/plain;q=0.5, text/event-stream;q=0.9", "events"),
        (None, "text/event-stream;q=0", "default"),
        (None, "application/json;q=0.5, text/event-stream", "events"),
        (None, "text/event-stream;q=high", "default"),
        (None, "image/png", "default"),
        ("events", None, "events"),
        ("openai", "text/plain", "openai"),
        ("ui-message", "application/json", "ui-message"),
        ("text", "text/event-stream", "text"),
    ],
)
def test_the_query_goes_before_the_accept_header(query: str | None, accept: str | None, chosen: str) -> None:
    assert choose_format(query, accept, "default") == chosen


@pytest.mark.parametrize("query", ["", "sse", "EVENTS", "events ", "ui_message"])
def test_an_unknown_format_is_refused_and_the_known_ones_named(query: str) -> None:
    with pytest.raises(InvalidRequest, match="events, openai, ui-message, text") as caught:
        choose_format(query, "*/*", None)
    assert caught.value.param == "format"
