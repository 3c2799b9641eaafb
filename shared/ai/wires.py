"""The wires that providers speak. Ours is OpenAI's; what another one carries is translated to it and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.ai.anthropic_answers import MessageReader
from shared.ai.anthropic_request import messages_request
from shared.providers import Target, WireName
from shared.types import JsonObject

# Gives the documents of OpenAI's form that one of a provider's stands for.
Reader: TypeAlias = Callable[[JsonObject], Sequence[JsonObject]]


@dataclass(frozen=True, slots=True)
class Wire:
    """`reader` None: answers have OpenAI's form already. A reader serves one answer."""

    path: str
    request: Callable[[JsonObject, Target], JsonObject]
    reader: Callable[[], Reader] | None = None


def _as_it_is(body: JsonObject, target: Target) -> JsonObject:
    return body


WIRES: Mapping[WireName, Wire] = {
    "openai": Wire("/chat/completions", _as_it_is),
    "anthropic": Wire("/messages", messages_request, lambda: MessageReader(int(time.time())).read),
}
