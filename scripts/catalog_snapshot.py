"""Renews shared/ai/catalog_snapshot.json from the lists of the providers whose keys are set.

    TOGETHER_API_KEY=… python -m scripts.catalog_snapshot --add together/acme/New-Model

Of each provider that answers, the models that stand in the snapshot get what its list says of them, and
those that it no longer lists are dropped, by name. Nothing is added that was not asked for: the snapshot
holds the models one would use. Other providers' rows stay as they are. Read the difference before you
commit it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.ai.catalog import Catalog
from shared.ai.client import Client
from shared.ai.model_lists import Listing, Model, from_modality
from shared.services import listed_targets
from shared.settings import Settings

ROOT = Path(__file__).parents[1]
SNAPSHOT = ROOT / "shared" / "ai" / "catalog_snapshot.json"


def main(arguments: Sequence[str] | None = None, *, snapshot: Path = SNAPSHOT) -> int:
    """The exit code: 1 when nobody answered."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--add", action="append", default=[], metavar="PROVIDER/MODEL")
    options = parser.parse_args(arguments)
    document = json.loads(snapshot.read_text(encoding="utf-8"))
    live = [one for one in asyncio.run(_lists()) if one.source == "live"]
    for listing in live:
        rows = document["models"].setdefault(listing.provider, {})
        wanted = [*rows, *_added(options.add, listing.provider)]
        document["models"][listing.provider] = dict(_renewed(listing, wanted))
    if not live:
        print("No provider gave its list: nothing is changed", file=sys.stderr)
        return 1
    today = datetime.now(UTC).date().isoformat()
    names = ", ".join(listing.provider for listing in live)
    if set(document["models"]) <= {listing.provider for listing in live}:
        document["as_of"] = today  # else the oldest rows are as old as they were
    document["sources"] = [f"their own lists, {today}: {names}", *document["sources"]]
    snapshot.write_text(written(document), encoding="utf-8")
    return 0


async def _lists() -> list[Listing]:
    client = Client()
    catalog = Catalog(client, listed_targets(Settings.from_env(os.environ)))
    try:
        return list(await asyncio.gather(*(catalog.first(name, wait=20.0) for name in catalog.providers)))
    finally:
        await catalog.aclose()
        await client.aclose()


def _added(names: Sequence[str], provider: str) -> Iterator[str]:
    for name in names:
        owner, _, model = name.partition("/")
        if owner == provider:
            yield model


def _renewed(listing: Listing, wanted: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in dict.fromkeys(wanted):
        model = listing.find(name)
        if model is None:
            print(f"{listing.provider} does not list {name}: dropped", file=sys.stderr)
        else:
            yield name, row(model)


def row(model: Model) -> dict[str, Any]:
    """One model as the snapshot has it; what is not known is left out, and what the modality says."""
    said = from_modality(model.modality)
    own = {name: has for name, has in model.capabilities.items() if said.get(name) != has}
    found = {
        "context_length": model.context_length,
        "max_output": model.max_output,
        "modality": model.modality,
        "can": [name for name, has in own.items() if has],
        "cannot": [name for name, has in own.items() if not has],
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def written(document: Mapping[str, Any]) -> str:
    """JSON with a model a line."""
    models = document["models"]
    marks = {
        f"@{provider}@{name}@": found for provider, rows in models.items() for name, found in rows.items()
    }
    marked = {provider: {name: f"@{provider}@{name}@" for name in rows} for provider, rows in models.items()}
    text = json.dumps({**document, "models": marked}, indent=2, ensure_ascii=False)
    for mark, found in marks.items():
        text = text.replace(json.dumps(mark, ensure_ascii=False), json.dumps(found, ensure_ascii=False))
    return text + "\n"


if __name__ == "__main__":
    sys.exit(main())
