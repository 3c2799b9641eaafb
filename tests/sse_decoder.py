"""Server-sent events, decoded as the HTML standard says (section 9.2.6), for tests."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    name: str  # "message" when none was named
    data: str
    id: str


def decode(stream: bytes) -> list[Event]:
    """The events of a whole stream; what is not closed by a blank line is dropped, comments too."""
    events: list[Event] = []
    name, data, last_id = "", list[str](), ""
    for line in re.split("\r\n|\r|\n", stream.decode().removeprefix("\ufeff"))[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                events.append(Event(name or "message", "\n".join(data), last_id))
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value
    return events


def comments(stream: bytes) -> list[str]:
    return [line[1:].strip() for line in stream.decode().split("\n") if line.startswith(":")]
