"""`/v1/chat/completions` without HTTP: which provider a body is for, and who answers when that one cannot.

The body is OpenAI's (https://platform.openai.com/docs/api-reference/chat/create) and goes to the
provider as it came. Only what decides here is checked; the rest is the provider's to judge.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.addressing import Addressing
from shared.ai.inquiry import Inquiry
from shared.errors import InvalidRequest, NotConfigured
from shared.providers import Target
from shared.types import (
    CallContext,
    ChatRequest,
    Json,
    JsonObject,
    Passthrough,
    StreamEvent,
    StreamStart,
    Task,
    Tier,
)

if TYPE_CHECKING:
    from shared.ai.catalog import Catalog
    from shared.ai.model_lists import Capability
    from shared.ai.router import Router
    from shared.ledger import Ledger
    from shared.settings import Settings
    from shared.tasks.asking import Call

MAX_CHOICES = 128
MAX_CHAINS = 1000  # of targets that are kept; callers may name any model


class Gateway:
    def __init__(self, *, settings: Settings, router: Router, ledger: Ledger, catalog: Catalog) -> None:
        self._settings = settings
        self._router = router
        self._ledger = ledger
        self._catalog = catalog
        defaults = {name: tiers[Tier.QUALITY].model for name, tiers in settings.access.items()}
        self._addressing = Addressing(settings, catalog, defaults)
        self._limits = settings.tasks[Task.GATEWAY].limits
        self._chains: dict[tuple[str, str], Sequence[Target]] = {}  # by provider and model

    async def asked(self, body: JsonObject) -> Passthrough:
        """What a body asks, and of whom. Raises InvalidRequest, NotFound and NotConfigured."""
        check_body(body)
        provider, model = self._addressing.named(body) or await self._addressing.placed(body["model"])
        own = isinstance(body.get("provider"), str)  # an object is for OpenRouter, as its API has it
        rest = {name: value for name, value in body.items() if name != "provider"} if own else body
        return Passthrough(rest, provider, model)

    def stream(self, call: Call, asked: Passthrough) -> AsyncGenerator[StreamEvent, None]:
        """The provider's events as they come; the rest of another's answer as text. Ends with Finish.

        Raises NotConfigured, and what `Router.stream` raises. `settle` must follow its end.
        """
        return self._router.stream(self._inquiry(call, asked))

    async def settle(self) -> None:
        """Before an answer ends: its ledger rows are written where nobody writes them later."""
        await self._ledger.settle()

    async def complete(self, call: Call, asked: Passthrough) -> tuple[StreamStart, bytes]:
        """Who answered, and the whole answer as it came. Raises as `stream` does."""
        try:
            return await self._router.pass_whole(self._inquiry(call, asked))
        finally:
            await self.settle()

    # --- who is asked --------------------------------------------------------------------------

    def _inquiry(self, call: Call, asked: Passthrough) -> Inquiry:
        context = CallContext(call.request_id, call.caller.tenant_id, Task.GATEWAY)
        return Inquiry(ChatRequest((), passthrough=asked), self._targets(asked), self._limits, context)

    def _targets(self, asked: Passthrough) -> list[Target]:
        """The provider that was named, then the fallbacks with their own models; only those with a key."""
        if self._settings.offline == "only":
            raise NotConfigured("AI_OFFLINE is `only`: no provider is asked")
        first, *others = self._chain(asked.provider, asked.model)
        if (asked.body.get("n") or 1) > 1:
            others = [target for target in others if not target.provider.one_choice]
            if first.provider.one_choice:
                raise InvalidRequest(f"n should be 1: {asked.provider} gives one answer a request", param="n")
        if others and (needed := needs(asked.body)):
            others = [target for target in others if self._takes(target, needed)]
        if first.ready:
            return [first, *others]
        if not others:
            raise NotConfigured(f"{asked.provider} has no key: set {first.provider.variable_prefix}_API_KEY")
        return others

    def _chain(self, provider: str, model: str) -> Sequence[Target]:
        """Who is named, and after that who else may answer."""
        known = self._chains.get((provider, model))
        if known is None:
            if len(self._chains) >= MAX_CHAINS:
                self._chains.clear()
            tiers = self._settings.access[provider]
            tier = next((tier for tier, target in tiers.items() if target.model == model), None)
            ready = self._settings.tasks[Task.GATEWAY].ready_targets(tier)
            others = [target for target in ready if target.provider.name != provider]
            known = self._chains[provider, model] = (replace(tiers[Tier.QUALITY], model=model), *others)
        return known

    def _takes(self, target: Target, needed: Sequence[Capability]) -> bool:
        """Whether a fallback may be asked: not one that is known to take no tools or no pictures."""
        model = self._catalog.find(target.provider.name, target.model)
        return model is None or all(model.has(capability) is not False for capability in needed)


def check_body(body: Mapping[str, Json]) -> None:
    """Raises InvalidRequest for what is needed here and is not as it should be."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise InvalidRequest("messages should be a list of at least one message", param="messages")
    if body.get("stream") not in (None, True, False):
        raise InvalidRequest("stream should be true or false", param="stream")
    for name in ("stream_options", "response_format"):
        if name in body and not isinstance(body[name], dict | None):
            raise InvalidRequest(f"{name} should be an object", param=name)
    choices = body.get("n")
    if choices is not None and (type(choices) is not int or not 1 <= choices <= MAX_CHOICES):
        raise InvalidRequest(f"n should be a whole number from 1 to {MAX_CHOICES}", param="n")


def needs(body: Mapping[str, Json]) -> list[Capability]:
    """What a model must take, beside text, to answer this body."""
    found: list[Capability] = []
    if body.get("tools") or body.get("functions"):
        found.append("tools")
    contents = (message.get("content") for message in body["messages"])
    parts = (part for content in contents if isinstance(content, list) for part in content)
    if any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts):
        found.append("images")
    return found
