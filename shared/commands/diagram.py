"""`marginalia diagram`: a concept as Mermaid, or as a picture."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from shared.commands.running import run
from shared.commands.terminal import MISUSED, fail, plain, say
from shared.settings import Settings
from shared.types import LOCAL_CALLER

if TYPE_CHECKING:
    from shared.pictures.drawing import Format

_FORMATS: dict[str, Format | None] = {".svg": "svg", ".png": "png", ".mmd": None}


def diagram(
    settings: Settings, concept: str, *, document_id: str | None, diagram_type: str | None, out: Path | None
) -> None:
    """To `out`, in the form that its name ends in; without it, Mermaid on stdout.

    Raises ApiError, for example NotFound for a document that is not there.
    """
    if out is not None and out.suffix.lower() not in _FORMATS:
        fail(f"--out: found {out.name!r}; allowed are names that end in {', '.join(_FORMATS)}", MISUSED)
    format = None if out is None else _FORMATS[out.suffix.lower()]
    text, picture = run(_drawn(settings, concept, document_id, diagram_type, format))
    if out is None:
        print(plain(text), end="")
        return
    try:
        out.write_bytes(text.encode() if picture is None else picture)
    except OSError as error:
        fail(f"--out: {out} cannot be written: {error.strerror or error}")
    say(f"wrote {out}")


async def _drawn(
    settings: Settings,
    concept: str,
    document_id: str | None,
    diagram_type: str | None,
    format: Format | None,
) -> tuple[str, bytes | None]:
    """Mermaid, and the picture where one is wanted."""
    from shared.pictures.drawing import Undrawable
    from shared.services import open_services
    from shared.tasks.asking import Call

    async with open_services(settings) as services:
        if format is not None:
            services.pictures.check()  # before a model is asked and paid
        answer = await services.service.create_diagram(
            Call(f"cli-{uuid.uuid4()}", LOCAL_CALLER),
            concept=concept,
            document_id=document_id,
            diagram_type=diagram_type,
        )
        text: str = answer["mermaid"]
        if format is None:
            return text, None
        try:
            return text, await services.pictures.draw(text, format)
        except Undrawable as error:
            fail(f"{error}; --out with .mmd gives the diagram itself")
