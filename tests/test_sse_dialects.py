from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import AllProvidersFailed
from shared.text.dialects import encoder_for
from shared.text.sse import (
    STREAM_FORMATS,
    CitationEvent,
    Delta,
    Done,
    ErrorEvent,
    Item,
    ResetEvent,
    Start,
    StreamFormat,
    StreamMessage,
    SwitchEvent,
)
from shared.types import Anchor, Meta, Position, Quote, Usage
from tests.sse_decoder import decode

START = Start("r1", "suggestions", "together", "llama")
META = Meta("r1", "together", "llama", attempts=1, usage=Usage(7, 5), cost_usd=Decimal("0.001"))
DONE = Done(META)
ERROR = ErrorEvent(
    {
        "error": {
            "message": "broke off",
            "type": "upstream_error",
            "code": "all_providers_failed",
            "param": None,
        }
    }
)
ANCHOR = Anchor("abc", Position(0, 2), Quote("Hi"), "doc")


def sent(format: StreamFormat, messages: Sequence[StreamMessage]) -> bytes:
    encoder = encoder_for(format, created=1_700_000_000)
    return b"".join(encoder.encode(message) for message in messages)


def payloads(format: StreamFormat, messages: Sequence[StreamMessage]) -> list[Any]:
    """The decoded data of each event; "[DONE]" as it stands."""
    found = [event.data for event in decode(sent(format, messages))]
    return [data if data == "[DONE]" else json.loads(data) for data in found]


# --- scripts of streams: per index its deltas, interleaved in any way, then perhaps its item -------

PIECES = st.lists(st.text(max_size=8) | st.sampled_from(["\n\n", "😀", "data: x"]), min_size=1, max_size=4)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[list[StreamMessage], dict[int, str]]:
    """Messages between start and end, and the text of each index in order of its first text."""
    texts = draw(st.dictionaries(st.integers(0, 3), PIECES, max_size=3))
    with_items = draw(st.booleans())
    silent = {index for index in texts if with_items and draw(st.booleans())}  # items without deltas
    queues: dict[int, list[StreamMessage]] = {}
    for index, pieces in texts.items():
        queues[index] = [] if index in silent else [Delta(index, piece) for piece in pieces]
        if with_items:
            queues[index].append(Item(index, "".join(pieces), draw(st.none() | st.just(ANCHOR))))
    messages: list[StreamMessage] = []
    while queues:
        index = draw(st.sampled_from(sorted(queues)))
        messages.append(queues[index].pop(0))
        if not queues[index]:
            del queues[index]
    order: dict[int, str] = {}
    for message in messages:
        if isinstance(message, (Delta, Item)) and message.text:
            order.setdefault(message.index, "".join(texts[message.index]))
    return messages, order


@given(scripts())
@settings(max_examples=150, deadline=None)
def test_openai_chunks_add_up_to_each_text_and_finish_each_choice_once(
    script: tuple[list[StreamMessage], dict[int, str]],
) -> None:
    messages, texts = script
    *chunks, end = payloads("openai", [START, *messages, DONE])
    assert end == "[DONE]"
    assert all(chunk["choices"] for chunk in chunks)
    choices = [chunk["choices"][0] for chunk in chunks]
    heard: dict[int, str] = {}
    for choice in choices:
        heard[choice["index"]] = heard.get(choice["index"], "") + choice["delta"].get("content", "")
    assert {index: text for index, text in heard.items() if text} == texts
    finished = [choice["index"] for choice in choices if choice["finish_reason"] is not None]
    assert finished == sorted(heard)
    roles = [choice["index"] for choice in choices if "role" in choice["delta"]]
    assert sorted(roles) == sorted(heard)


@given(scripts())
@settings(max_examples=150, deadline=None)
def test_ui_message_parts_open_and_close_as_the_ai_sdk_demands(
    script: tuple[list[StreamMessage], dict[int, str]],
) -> None:
    messages, texts = script
    first, *parts, finish, end = payloads("ui-message", [START, *messages, DONE])
    assert (first["type"], finish["type"], end) == ("start", "finish", "[DONE]")
    open_parts: dict[str, str] = {}
    closed: list[str] = []
    for part in parts:
        match part["type"]:
            case "text-start":
                assert part["id"] not in open_parts
                open_parts[part["id"]] = ""
            case "text-delta":
                open_parts[part["id"]] += part["delta"]
            case "text-end":
                closed.append(open_parts.pop(part["id"]))
            case other:
                assert other == "data-item"
    assert open_parts == {}
    assert sorted(closed) == sorted(texts.values())


@given(scripts())
@settings(max_examples=200, deadline=None)
def test_plain_text_holds_each_suggestion_whole_and_in_the_order_of_their_first_text(
    script: tuple[list[StreamMessage], dict[int, str]],
) -> None:
    messages, texts = script
    assert sent("text", [START, *messages, DONE]).decode() == "\n\n".join(texts.values())


@given(scripts(), st.integers(0, 20))
@settings(max_examples=100, deadline=None)
def test_an_error_ends_a_stream_without_the_words_of_a_good_end(
    script: tuple[list[StreamMessage], dict[int, str]], cut: int
) -> None:
    messages = [START, *script[0][:cut], ERROR]
    openai = payloads("openai", messages)
    assert openai[-1] == ERROR.body
    assert all(choice["finish_reason"] is None for chunk in openai[:-1] for choice in chunk["choices"])
    ui_message = payloads("ui-message", messages)
    assert ui_message[-1] == {"type": "error", "errorText": "broke off"}
    assert ui_message[-2] == {"type": "data-error", "data": ERROR.body["error"], "transient": True}
    assert not {"finish", "[DONE]"} & {part["type"] for part in ui_message}


@pytest.mark.parametrize("format", ["openai", "ui-message", "text"])
def test_a_reset_after_text_is_an_error_that_names_the_format(format: StreamFormat) -> None:
    encoder = encoder_for(format, created=0)
    encoder.encode(START)
    encoder.encode(Delta(0, "Hel"))
    with pytest.raises(AllProvidersFailed, match=f"{format} cannot take back"):
        encoder.encode(ResetEvent(0))


@pytest.mark.parametrize("format", ["openai", "ui-message", "text"])
def test_a_reset_of_what_was_not_sent_goes_unsaid(format: StreamFormat) -> None:
    messages = [START, Delta(0, "a"), Delta(1, ""), ResetEvent(1), Delta(1, "b"), DONE]
    plain = [START, Delta(0, "a"), Delta(1, ""), Delta(1, "b"), DONE]
    assert sent(format, messages) == sent(format, plain)


def test_plain_text_can_take_back_what_it_still_held() -> None:
    held = [Delta(0, "a"), Delta(1, "wrong"), ResetEvent(1), Delta(1, "right"), Item(0, "a"), DONE]
    assert sent("text", held) == b"a\n\nright"


def test_plain_text_joins_a_character_that_two_deltas_share() -> None:
    assert sent("text", [Delta(0, "a\ud83d"), Delta(0, "\ude00b"), DONE]).decode() == "a😀b"
    assert sent("text", [Delta(0, "a\ud83d"), DONE]).decode() == "a\ufffd"


def test_openai_chunks_carry_usage_and_what_openai_has_no_field_for() -> None:
    done = Done(replace(META, model="gpt-4o"), {"abstained": False}, finish_reason="length")
    messages = [START, Delta(0, "Hi"), CitationEvent({"marker": 1}), Item(0, "Hi", ANCHOR), done]
    opening, text, citation, item, finish, end = payloads("openai", messages)
    assert opening == {
        "id": "chatcmpl-r1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "llama",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
    }
    assert text["choices"][0]["delta"] == {"content": "Hi"}
    assert citation["marginalia"] == {"citation": {"marker": 1}}
    assert item["marginalia"]["item"]["anchor"] == ANCHOR.to_json()
    assert finish["choices"][0]["finish_reason"] == "length"
    assert finish["model"] == "gpt-4o"
    assert finish["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert finish["marginalia"] == {"meta": done.meta.to_json(), "abstained": False}
    assert end == "[DONE]"


def test_ui_message_stream_of_an_answer_is_as_the_ai_sdk_documents_it() -> None:
    switch = SwitchEvent("together", "openai", "cut")
    messages = [START, Delta(0, "Hi"), switch, Delta(0, "!"), CitationEvent({"marker": 1}), DONE]
    start = {"request_id": "r1", "task": "suggestions", "provider": "together", "model": "llama"}
    assert payloads("ui-message", messages) == [
        {"type": "start", "messageId": "r1", "messageMetadata": start},
        {"type": "text-start", "id": "text-0"},
        {"type": "text-delta", "id": "text-0", "delta": "Hi"},
        {
            "type": "data-switch",
            "data": {"from": "together", "to": "openai", "reason": "cut"},
            "transient": True,
        },
        {"type": "text-delta", "id": "text-0", "delta": "!"},
        {"type": "data-citation", "data": {"marker": 1}},
        {"type": "text-end", "id": "text-0"},
        {"type": "finish", "messageMetadata": {"meta": META.to_json()}},
        "[DONE]",
    ]


def test_a_ui_message_items_text_is_closed_before_its_data_part() -> None:
    parts = payloads("ui-message", [START, Delta(1, "a"), Delta(0, "b"), Item(1, "a", ANCHOR), DONE])
    assert [(part["type"], part.get("id")) for part in parts[1:-2]] == [
        ("text-start", "text-0"),
        ("text-delta", "text-0"),
        ("text-start", "text-1"),
        ("text-delta", "text-1"),
        ("text-end", "text-0"),
        ("data-item", None),
        ("text-end", "text-1"),
    ]


@pytest.mark.parametrize("format", STREAM_FORMATS)
def test_an_answer_without_text_still_ends_well(format: StreamFormat) -> None:
    stream = sent(format, [START, DONE])
    assert (b"[DONE]" in stream) == (format in ("openai", "ui-message"))
    assert (stream == b"") == (format == "text")
