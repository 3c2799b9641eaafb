"""The answers that need no key, in place of providers that nobody can ask or that do not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from shared.errors import AllProvidersFailed, ApiError, MalformedOutput, NotConfigured, ProviderTimeout
from shared.tasks.asking import OFFLINE, OFFLINE_MODEL, Asker
from shared.text.sse import Delta, Item, Start, StreamMessage, SwitchEvent
from shared.types import JsonObject, Meta, Tier

if TYPE_CHECKING:
    from shared.settings import OfflineMode

# What they may stand in for. Not a refusal or a wrong request: those are answers.
UNANSWERED = (NotConfigured, AllProvidersFailed, ProviderTimeout, MalformedOutput)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Decides by AI_OFFLINE whether our own means answer; what they are is the task's to say."""

    mode: OfflineMode

    def asks_providers(self, asker: Asker, tier: Tier | None) -> bool:
        """Raises NotConfigured where nobody can be asked and nothing may stand in."""
        if self.mode == "only":
            return False
        if asker.config.ready_targets(tier):
            return True
        if self.mode == "fallback":
            return False
        missing = sorted(
            {
                f"{target.provider.variable_prefix}_API_KEY"
                for target in asker.config.targets[asker.config.tier]
            }
        )
        raise NotConfigured(
            f"No provider can be asked for {asker.context.task.value}: set {' or '.join(missing)}"
        )

    async def answer(
        self,
        asker: Asker,
        tier: Tier | None,
        ask: Callable[[], Awaitable[JsonObject]],
        offline: Callable[[Meta], JsonObject],
    ) -> JsonObject:
        """What `ask` gives, else what `offline` does."""
        error = None
        if self.asks_providers(asker, tier):
            try:
                return await ask()
            except UNANSWERED as failure:
                if self.mode == "never":
                    raise
                error = failure
        return await asyncio.to_thread(offline, _degraded_meta(asker, error))

    async def stream(
        self,
        asker: Asker,
        tier: Tier | None,
        ask: Callable[[], AsyncGenerator[StreamMessage, None]],
        offline: Callable[[Meta], Iterable[StreamMessage]],
    ) -> AsyncGenerator[StreamMessage, None]:
        """The same for streams. Once text of a provider's has been sent, nothing stands in for it."""
        error = None
        started_by = None
        if self.asks_providers(asker, tier):
            sent_text = False
            try:
                async with aclosing(ask()) as events:
                    async for event in events:
                        sent_text = sent_text or isinstance(event, (Delta, Item))
                        if isinstance(event, Start):
                            started_by = event.provider
                        yield event
            except UNANSWERED as failure:
                if sent_text or self.mode == "never":
                    raise
                error = failure
            else:
                return
        messages = await asyncio.to_thread(lambda: list(offline(_degraded_meta(asker, error))))
        for message in messages:
            if started_by is not None and isinstance(message, Start):
                yield SwitchEvent(started_by, OFFLINE, error.code if error else OFFLINE)
            else:
                yield message


def _degraded_meta(asker: Asker, error: ApiError | None) -> Meta:
    """The meta of an answer by our own means; the cost of failed attempts is not known here."""
    attempts = error.attempts if error else ()
    return Meta(
        request_id=asker.context.request_id,
        provider=OFFLINE,
        model=OFFLINE_MODEL,
        degraded=True,
        attempts=len(attempts),
        cost_usd=None if attempts else Decimal(0),
        extra={"failures": [attempt.to_json() for attempt in attempts]} if attempts else {},
    )
