"""Models that are configured and that no list has: most likely misspelt, or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.ai.catalog import Catalog, shipped
from shared.ai.model_choice import near, told
from shared.ai.model_lists import Listing
from shared.providers import Target
from shared.settings import Settings
from shared.types import JsonObject, Tier

LIVE_WAIT = 10.0  # seconds that a provider's list is waited for


@dataclass(frozen=True, slots=True)
class Unlisted:
    """One model that its provider's list does not have."""

    provider: str
    model: str
    listing: Listing
    near: tuple[str, ...]

    @property
    def warning(self) -> str:
        return f"{self.provider} does not list {self.model} ({self.source}); {told(self.near)}"

    @property
    def source(self) -> str:
        day = "" if self.listing.as_of is None else f" of {self.listing.as_of:%Y-%m-%d}"
        return "its own list, just now" if self.listing.source == "live" else f"the shipped list{day}"

    def to_json(self) -> JsonObject:
        return {
            "provider": self.provider,
            "model": self.model,
            "source": self.listing.source,
            "as_of": None if self.listing.as_of is None else self.listing.as_of.isoformat(),
            "near": list(self.near),
        }


def unlisted(settings: Settings, *, live: bool) -> list[Unlisted]:
    """`live`: the providers that are set up are asked for their lists; else nobody is.

    Nothing is said of a provider of which there is no list: a local or a custom one that was not asked,
    or another server at a provider's address.
    """
    targets = {(target.provider.name, target.model): target for target in _targets(settings)}
    names = {provider for provider, _ in targets}
    lists = asyncio.run(_live(settings, names)) if live else {name: shipped(name) for name in names}
    return [
        Unlisted(provider, model, lists[provider], tuple(near(model, lists[provider].models)))
        for (provider, model), target in targets.items()
        if _applies(lists[provider], target) and lists[provider].find(model) is None
    ]


def _applies(listing: Listing, target: Target) -> bool:
    if listing.source == "live":
        return bool(listing.models)
    moved = target.route == "direct" and target.base_url != target.provider.base_url
    return bool(listing.models) and not moved


def _targets(settings: Settings) -> Iterator[Target]:
    """Everyone whom some task may ask, of every tier."""
    if settings.offline == "only":
        return
    for config in settings.tasks.values():
        for tier in Tier:
            yield from config.targets[tier]
    if settings.embedding.target is not None:
        yield settings.embedding.target


async def _live(settings: Settings, names: set[str]) -> Mapping[str, Listing]:
    from shared.ai.client import Client
    from shared.services import listed_targets

    client = Client()
    catalog = Catalog(client, listed_targets(settings))
    try:
        lists = await asyncio.gather(*(catalog.first(name, wait=LIVE_WAIT) for name in names))
    finally:
        await catalog.aclose()
        await client.aclose()
    return {listing.provider: listing for listing in lists}
