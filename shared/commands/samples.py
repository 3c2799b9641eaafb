"""The documents that a fresh installation begins with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.commands.files import find_files
from shared.commands.index import index_files
from shared.commands.progress import Silence, Totals
from shared.types import LOCAL_CALLER

if TYPE_CHECKING:
    from shared.services import Services


def samples_dir() -> Path:
    """Beside the package in an installed wheel, else in the checkout's docs."""
    package = Path(__file__).parents[1]
    installed = package / "samples"
    return installed if installed.is_dir() else package.parent / "docs" / "samples"


async def load_samples(services: Services) -> Totals | None:
    """Store and index the samples where no document is stored yet; None where one is."""
    if await services.store.list_documents(LOCAL_CALLER, limit=1):
        return None
    return await index_files(services, find_files([samples_dir()]), Silence())
