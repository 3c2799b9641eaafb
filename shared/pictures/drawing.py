"""Draws in a process of its own, with a time and a memory limit; what overruns them is killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias

from shared.errors import NotConfigured

Format: TypeAlias = Literal["svg", "png"]

MAX_BYTES = 8 * 1024 * 1024  # of a picture


class Undrawable(Exception):
    """No picture came. `reason` is failed where Mermaid or the memory limit refused."""

    def __init__(self, reason: Literal["too_slow", "too_large", "failed"]) -> None:
        super().__init__(f"the picture could not be drawn: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PictureLimits:
    seconds: float = 20.0  # until there is a picture, the wait for a place included
    memory_bytes: int = 1536 * 1024 * 1024  # of address space; a usual picture takes a tenth of it in fact
    at_once: int = 2  # processes


class Pictures:
    """Draws as many pictures at once as the limits say; the others wait."""

    def __init__(self, limits: PictureLimits | None = None) -> None:
        self._limits = limits or PictureLimits()
        self._places = asyncio.Semaphore(self._limits.at_once)

    def check(self) -> None:
        """Raises NotConfigured where the extra is not installed."""
        if find_spec("mermaidx") is None or find_spec("defusedxml") is None:
            raise NotConfigured(
                "This server draws no pictures: install the extra `svg` (pip install 'marginalia[svg]')",
                param="svg",
            )

    async def draw(self, mermaid: str, format: Format) -> bytes:
        """The picture, sanitised. Raises NotConfigured and Undrawable. Cancelling ends the process."""
        self.check()
        try:
            async with asyncio.timeout(self._limits.seconds), self._places:
                return await self._drawn(mermaid, format)
        except TimeoutError:
            raise Undrawable("too_slow") from None

    async def _drawn(self, mermaid: str, format: Format) -> bytes:
        job = {
            "mermaid": mermaid,
            "format": format,
            "memory_bytes": self._limits.memory_bytes,
            "cpu_seconds": int(self._limits.seconds) + 1,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "shared.pictures.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # it could quote the diagram
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # no variable else, and no key
            limit=MAX_BYTES,
        )
        try:
            return await _picture(process, json.dumps(job).encode())
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _picture(process: asyncio.subprocess.Process, job: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process was started without its pipes")
    with suppress(ConnectionError):  # it has ended already; its exit code says why
        process.stdin.write(job)
        await process.stdin.drain()
    process.stdin.close()
    picture = bytearray()
    while data := await process.stdout.read(1 << 16):
        picture += data
        if len(picture) > MAX_BYTES:
            raise Undrawable("too_large")
    if await process.wait() != 0 or not picture:
        raise Undrawable("failed")
    return bytes(picture)
