"""Whom a body of OpenAI's API is for.

In this order: the field `provider`; a known provider's name before the model's, as in `groq/llama-3.1-8b`;
the only provider that this deployment has set up; the first, in the order of `shared/providers.py`, of
those it has set up that lists the model. A name before the model's counts as part of it where that
provider is not set up and another one lists the whole name (`openai/gpt-oss-120b` at Groq).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from shared.errors import InvalidRequest, NotConfigured, NotFound
from shared.types import Json, Tier

if TYPE_CHECKING:
    from shared.ai.catalog import Catalog
    from shared.settings import Settings

MAX_MODEL = 256  # characters


class Addressing:
    def __init__(self, settings: Settings, catalog: Catalog, defaults: Mapping[str, str | None]) -> None:
        """`defaults`: the providers there are, with the model of one whose model is not named."""
        self._access = settings.access
        self._catalog = catalog
        self._defaults = defaults
        self._configured = [name for name, tiers in settings.access.items() if tiers[Tier.QUALITY].configured]

    def named(self, body: Mapping[str, Json]) -> tuple[str, str] | None:
        """Provider and model, as the body names them; None where only the catalogue can tell.

        Raises InvalidRequest.
        """
        model, field = body.get("model"), body.get("provider")
        if isinstance(field, str):
            provider = normal(field)
            if provider not in self._defaults:
                raise InvalidRequest(f"{field[:60]!r} is no provider; {self._who()}", param="provider")
            return provider, checked_model(model or self._defaults[provider])
        checked = checked_model(model)
        prefix, _, rest = checked.partition("/")
        provider = normal(prefix)
        if rest and provider in self._defaults:
            elsewhere = None if provider in self._configured else next(self._listing(checked), None)
            return (provider, rest) if elsewhere is None else (elsewhere, checked)
        return (self._configured[0], checked) if len(self._configured) == 1 else None

    async def placed(self, model: str) -> tuple[str, str]:
        """Provider and model for a name alone, by the catalogue.

        From what is loaded; only before it says that nobody has the model does it wait for lists that
        have never come. Raises NotFound, or NotConfigured where only others have it.
        """
        for name in self._configured:
            self._catalog.listing(name)  # an old one is renewed behind the scenes
        found = next(self._listing(model), None)
        if found is None:
            await asyncio.gather(*map(self._catalog.first, self._configured))
            found = next(self._listing(model), None)
        if found is None:
            raise self._nobody_has(model)
        return found, model

    def _listing(self, model: str) -> Iterator[str]:
        return (name for name in self._configured if self._catalog.find(name, model) is not None)

    def _who(self) -> str:
        return f"known are {', '.join(self._defaults)}"

    def _nobody_has(self, model: str) -> NotFound | NotConfigured:
        from shared.ai.model_choice import near, told

        others = (name for name in self._access if self._catalog.find(name, model) is not None)
        if owner := next(others, None):
            variable = self._access[owner][Tier.QUALITY].provider.variable_prefix
            return NotConfigured(
                f"The model {model[:60]!r} is {owner}'s, which has no key: set {variable}_API_KEY",
                param="model",
            )
        if not self._configured:
            return NotConfigured("No provider is set up: set a key, such as TOGETHER_API_KEY", param="model")
        lists = {name: self._catalog.loaded(name).models for name in self._configured}
        like = near(model, [f"{name}/{other}" for name, models in lists.items() for other in models])
        return NotFound(
            f"No provider of this deployment lists the model {model[:60]!r}; {told(like)}. One that is not "
            f"listed is asked for as provider/model; {self._who()}",
            param="model",
        )


def checked_model(model: Json) -> str:
    """Raises InvalidRequest."""
    if not isinstance(model, str) or not model.strip():
        raise InvalidRequest("model is required", param="model")
    if len(model) > MAX_MODEL or not model.isprintable():
        raise InvalidRequest(f"model should be a name of at most {MAX_MODEL} characters", param="model")
    return model


def normal(name: str) -> str:
    """As the providers' rows are named."""
    return name.strip().lower().replace("-", "_")
