"""The SSE decoder: the standard's examples, and any split of any bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.sse import EventTooLarge, ServerSentEvent, SseDecoder


def decode(*chunks: bytes) -> list[ServerSentEvent]:
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.close()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [(b"message", b"a")]),
        (b"data:a\n\n", [(b"message", b"a")]),
        (b"data:  a\n\n", [(b"message", b" a")]),
        (b"data: a\ndata: b\n\n", [(b"message", b"a\nb")]),
        (b"data\n\n", [(b"message", b"")]),
        (b"event: error\ndata: x\n\n", [(b"error", b"x")]),
        (b"event: error\n\ndata: x\n\n", [(b"message", b"x")]),
        (b": comment\n\ndata: a\n\n", [(b"message", b"a")]),
        (b"id: 7\nretry: 10\ndata: a\n\n", [(b"message", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"message", b"a")]),
        (b"\n\n\n\ndata: a\n\n\n\n", [(b"message", b"a")]),
        (
            b"data: a\r\n\r\ndata: b\r\rdata: c\n\n",
            [(b"message", b"a"), (b"message", b"b"), (b"message", b"c")],
        ),
        (b"data: a:b: c\n\n", [(b"message", b"a:b: c")]),
        ("data: é€😀\n\n".encode(), [(b"message", "é€😀".encode())]),
        (b"data: \xff\xfe\n\n", [(b"message", b"\xff\xfe")]),
        (b"data: without its blank line\n", [(b"message", b"without its blank line")]),
        (b"data: without its line end", [(b"message", b"without its line end")]),
        (b"", []),
        (b": only a comment\n\n", []),
    ],
)
def test_a_stream_gives_the_events_of_the_standard(stream: bytes, events: list[tuple[bytes, bytes]]) -> None:
    assert decode(stream) == [ServerSentEvent(data, name) for name, data in events]


pieces = st.sampled_from(
    [b"data: ", b"data:", b"event: error", b"x", "é😀".encode(), b"\n", b"\r", b"\r\n", b"\n\n", b": c", b":"]
)
streams = st.lists(pieces, max_size=30).map(b"".join)


@given(streams, st.data())
def test_a_stream_decodes_the_same_however_it_is_split(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    assert decode(*chunks) == decode(stream)
    assert decode(*(bytes([byte]) for byte in stream)) == decode(stream)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), min_size=1))
def test_what_was_written_is_read_again(lines: list[str]) -> None:
    written = "".join(f"data: {line}\n" for line in lines) + "\n"
    assert decode(written.encode()) == [ServerSentEvent("\n".join(lines).encode())]


def test_a_line_end_of_two_bytes_may_be_split_between_them() -> None:
    assert decode(b"data: a\r", b"\ndata: b\r", b"", b"\n\r\n") == [ServerSentEvent(b"a\nb")]
    assert decode(b"data: a\r", b"data: b\r\r") == [ServerSentEvent(b"a\nb")]


def feed_for_ever(chunk: bytes) -> None:
    decoder = SseDecoder(max_event_bytes=1000)
    for _ in range(1000):
        decoder.feed(chunk)


def test_an_endless_line_is_refused_without_being_kept() -> None:
    with pytest.raises(EventTooLarge):
        feed_for_ever(b"data: " + b"x" * 100)


def test_an_event_of_endless_lines_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        feed_for_ever(b"data: xxxxxxxxxx\n")


def test_many_events_in_all_may_be_longer_than_one_may_be() -> None:
    decoder = SseDecoder(max_event_bytes=100)
    assert sum(len(decoder.feed(b"data: " + b"x" * 50 + b"\n\n")) for _ in range(100)) == 100
