"""A router at simulators, for tests: nothing waits, every row is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from shared.ai.breaker import Policy
from shared.ai.client import Client
from shared.ai.inquiry import Inquiry
from shared.ai.router import Router
from shared.errors import ApiError
from shared.providers import PROVIDERS, Provider, Target
from shared.settings import Limits
from shared.types import (
    Attempt,
    CallContext,
    ChatRequest,
    Finish,
    JsonSchema,
    Message,
    Reset,
    StreamEvent,
    StreamStart,
    Switch,
    Task,
    TextDelta,
)
from tests.simulator.replies import Reply
from tests.simulator.server import Simulator

CONTEXT = CallContext(request_id="request-1", tenant_id="tenant-1", task=Task.QA)
REQUEST = ChatRequest((Message("system", "Be brief."), Message("user", "What does the fox do?")))
SCHEMA = JsonSchema("answer", {"type": "object", "properties": {"n": {"type": "integer"}}})
PATIENT = Limits(first_token_timeout=20.0, idle_timeout=20.0, timeout=60.0)
QUICK = replace(PATIENT, first_token_timeout=0.4, idle_timeout=0.4)  # for providers that fall silent
NEVER_REST = Policy(consecutive_failures=1_000_000, least_calls=1_000_000)

PRIMARY = replace(PROVIDERS["together"], name="primary", accepts_prefill=False)
SECOND = replace(PROVIDERS["openai"], name="second")
THIRD = replace(PROVIDERS["groq"], name="third", json_output="object")


def target(simulator: Simulator, row: Provider = PRIMARY, *, key: str | None = "key-of-test") -> Target:
    return Target(row, f"model-of-{row.name}", simulator.base_url, key)


@dataclass(slots=True)
class Heard:
    """What a caller got of a stream."""

    events: list[StreamEvent] = field(default_factory=list)
    error: ApiError | None = None

    @property
    def text(self) -> str:
        """The text as the caller ends up with it, resets applied."""
        parts: list[str] = []
        for event in self.events:
            if isinstance(event, Reset):
                parts.clear()
            elif isinstance(event, TextDelta):
                parts.append(event.text)
        return "".join(parts)

    @property
    def finish(self) -> Finish | None:
        return next((event for event in self.events if isinstance(event, Finish)), None)

    @property
    def kinds(self) -> list[str]:
        """The events in order; a run of text counts once."""
        names: list[str] = []
        for event in self.events:
            name = type(event).__name__
            if name != "TextDelta" or names[-1:] != ["TextDelta"]:
                names.append(name)
        return names

    @property
    def speakers(self) -> list[str]:
        """Whose text was shown, in order."""
        names = {StreamStart: "provider", Switch: "to_provider"}
        return [getattr(e, names[type(e)]) for e in self.events if type(e) in names]


class Asker:
    """A router, the rows it recorded and the waits it would have made."""

    def __init__(
        self,
        *,
        policy: Policy = NEVER_REST,
        chance: Callable[[], float] = lambda: 0.5,
        limits: Limits = PATIENT,
    ) -> None:
        self.rows: list[Attempt] = []
        self.waits: list[float] = []
        self.limits = limits
        self.router = Router(
            Client(), record=self.rows.append, sleep=self._sleep, chance=chance, breakers=policy
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def stream(
        self,
        targets: Sequence[Target],
        *,
        request: ChatRequest = REQUEST,
        limits: Limits | None = None,
    ) -> Heard:
        """Listens to the end, whatever the end is."""
        heard = Heard()
        events = self.router.stream(Inquiry(request, targets, limits or self.limits, CONTEXT))
        try:
            async with aclosing(events) as stream:
                async for event in stream:
                    heard.events.append(event)
        except ApiError as error:
            heard.error = error
        return heard

    @property
    def outcomes(self) -> list[str]:
        return [f"{row.provider} {row.outcome}" for row in self.rows]


@asynccontextmanager
async def asking(*, policy: Policy = NEVER_REST, limits: Limits = PATIENT) -> AsyncIterator[Asker]:
    asker = Asker(policy=policy, limits=limits)
    try:
        yield asker
    finally:
        await asker.router.aclose()


@asynccontextmanager
async def two_providers() -> AsyncIterator[tuple[Simulator, Simulator, Asker]]:
    async with Simulator() as first, Simulator() as second, asking() as asker:
        yield first, second, asker


def error(status: int, code: str | None = None, message: str = "m", **headers: str) -> Reply:
    body = {"error": {"message": message, "type": "x", "param": None, "code": code}}
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers)
