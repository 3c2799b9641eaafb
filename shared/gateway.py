"""`/v1/chat/completions` without HTTP: which provider a body is for, and who answers when that one cannot.

The body is OpenAI's (https://platform.openai.com/docs/api-reference/chat/create) and goes to the
provider as it came. Only what decides here is checked; the rest is the provider's to judge.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from shared.errors import InternalError, InvalidRequest, NotConfigured
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
    Verbatim,
)

if TYPE_CHECKING:
    from shared.ai.router import Router
    from shared.ledger import Ledger
    from shared.settings import Settings
    from shared.tasks.asking import Call

MAX_MODEL = 256  # characters
MAX_CHOICES = 128


class Gateway:
    def __init__(self, *, settings: Settings, router: Router, ledger: Ledger) -> None:
        self._settings = settings
        self._router = router
        self._ledger = ledger
        self._limits = settings.tasks[Task.GATEWAY].limits

    def asked(self, body: JsonObject) -> Passthrough:
        """What a body asks, and of whom. Raises InvalidRequest."""
        check_body(body)
        provider, model = self._named(body)
        own = isinstance(body.get("provider"), str)  # an object is for OpenRouter, as its API has it
        rest = {name: value for name, value in body.items() if name != "provider"} if own else body
        return Passthrough(rest, provider, model)

    def stream(self, call: Call, asked: Passthrough) -> AsyncGenerator[StreamEvent, None]:
        """The provider's events as they come; the rest of another's answer as text. Ends with Finish.

        Raises NotConfigured, and what `Router.pass_through` raises. `settle` must follow its end.
        """
        return self._router.pass_through(
            ChatRequest((), passthrough=asked),
            targets=self._targets(asked),
            limits=self._limits,
            context=CallContext(call.request_id, call.caller.tenant_id, Task.GATEWAY),
        )

    async def settle(self) -> None:
        """Before an answer ends: its ledger rows are written where nobody writes them later."""
        await self._ledger.settle()

    async def complete(self, call: Call, asked: Passthrough) -> tuple[StreamStart, bytes]:
        """Who answered, and the whole answer as it came. Raises as `stream` does."""
        start, answer = None, None
        try:
            async with aclosing(self.stream(call, asked)) as events:
                async for event in events:
                    if isinstance(event, StreamStart):
                        start = event
                    elif isinstance(event, Verbatim):
                        answer = event.events[0]
        finally:
            await self.settle()
        if start is None or answer is None:
            raise InternalError("A whole answer was none")
        return start, answer

    # --- who is asked --------------------------------------------------------------------------

    def _named(self, body: Mapping[str, Json]) -> tuple[str, str]:
        """Provider and model: by `provider`, by the model's prefix, or the only provider there is."""
        access = self._settings.access
        model = body.get("model")
        field = body.get("provider")
        if isinstance(field, str):
            provider = _normal(field)
            if provider not in access:
                raise InvalidRequest(f"{field[:60]!r} is no provider; {self._known()}", param="provider")
            return provider, _checked_model(model or access[provider][Tier.QUALITY].model)
        checked = _checked_model(model)
        prefix, _, rest = checked.partition("/")
        if rest and _normal(prefix) in access:
            return _normal(prefix), rest
        if (
            len(configured := [name for name, tiers in access.items() if _configured(tiers[Tier.QUALITY])])
            == 1
        ):
            return configured[0], checked
        raise InvalidRequest(
            f"The model {checked[:60]!r} does not say whose it is: write it as provider/model, or name the "
            f"provider in the field `provider`; {self._known()}",
            param="model",
        )

    def _known(self) -> str:
        return f"known are {', '.join(self._settings.access)}"

    def _targets(self, asked: Passthrough) -> list[Target]:
        """The provider that was named, then the fallbacks with their own models; only those with a key."""
        if self._settings.offline == "only":
            raise NotConfigured("AI_OFFLINE is `only`: no provider is asked")
        tiers = self._settings.access[asked.provider]
        named = tiers[Tier.QUALITY]
        first = Target(named.provider, asked.model, named.base_url, named.api_key)
        tier = next((tier for tier, target in tiers.items() if target.model == asked.model), None)
        others = self._settings.tasks[Task.GATEWAY].ready_targets(tier)
        targets = [target for target in others if target.provider.name != asked.provider]
        if first.ready:
            return [first, *targets]
        if not targets:
            raise NotConfigured(f"{asked.provider} has no key: set {named.provider.variable_prefix}_API_KEY")
        return targets


def check_body(body: Mapping[str, Json]) -> None:
    """Raises InvalidRequest for what is needed here and is not as it should be."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise InvalidRequest("messages should be a list of at least one message", param="messages")
    if body.get("stream") not in (None, True, False):
        raise InvalidRequest("stream should be true or false", param="stream")
    for name in ("stream_options", "response_format"):
        if not isinstance(body.get(name), dict | None):
            raise InvalidRequest(f"{name} should be an object", param=name)
    choices = body.get("n")
    if choices is not None and (type(choices) is not int or not 1 <= choices <= MAX_CHOICES):
        raise InvalidRequest(f"n should be a whole number from 1 to {MAX_CHOICES}", param="n")


def _checked_model(model: Json) -> str:
    if not isinstance(model, str) or not model.strip():
        raise InvalidRequest("model is required", param="model")
    if len(model) > MAX_MODEL or not model.isprintable():
        raise InvalidRequest(f"model should be a name of at most {MAX_MODEL} characters", param="model")
    return model


def _normal(name: str) -> str:
    """As the providers' rows are named."""
    return name.strip().lower().replace("-", "_")


def _configured(target: Target) -> bool:
    """Whether this deployment has set the provider up, be it by an address alone."""
    if target.provider.needs_key:
        return target.api_key is not None
    return target.api_key is not None or target.base_url != target.provider.base_url
