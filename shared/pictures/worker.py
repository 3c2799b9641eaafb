"""The process that draws one picture and ends: `python -m shared.pictures.worker`, as `drawing.py` starts it.

It reads a job as JSON from its input and writes the picture to its output. Mermaid is a large program fed
with other people's words: what it costs is bounded by the system, and it sees no variable and no key.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

UNDRAWABLE = 3  # the exit code when Mermaid, or the limits, refuse
MAX_SIDE = 8_000  # pixels
_MAX_PIXELS = 32_000_000
_SCALE = 2.0  # pixels a unit: sharp on screens of today

# Labels as SVG text, never as HTML. `strict` is Mermaid's own default; it is what we count on.
_AS_TEXT = {"htmlLabels": False}
_CONFIG: dict[str, Any] = {
    "securityLevel": "strict",
    "htmlLabels": False,
    "handDrawnSeed": 1,  # the same diagram, the same picture
    "themeCSS": ".mindmap-node .label text{text-anchor:middle}",  # Mermaid leaves it out for labels as text
    "timeline": {},
    "journey": {},
    **dict.fromkeys(("flowchart", "class", "state", "er", "mindmap"), _AS_TEXT),
}

# While Mermaid works, a character that its source writes as #58; is one of these: it would show the
# reference itself where labels are SVG text, and break lines within it.
_STANDINS = 0xE000  # U+E000 to U+E07F, for private use
_REFERENCE = re.compile(r"#(?:quot|([0-9]{1,3}));")
_SHOWN = {_STANDINS + code: chr(code) for code in range(0x20, 0x7F)}
_OTHERS_OWN = {_STANDINS + code: "\ufffd" for code in range(0x80)}


def main() -> int:
    """Gives the exit code: 0 with a picture, UNDRAWABLE without."""
    job = json.loads(sys.stdin.buffer.read())
    _limit(job["memory_bytes"], job["cpu_seconds"])
    try:
        svg = draw_svg(job["mermaid"])
        picture = _png(svg) if job["format"] == "png" else svg.encode()
    except (RuntimeError, ValueError, MemoryError):  # mermaidx's own error is a RuntimeError
        return UNDRAWABLE
    sys.stdout.buffer.write(picture)
    return 0


def _limit(memory: int, seconds: int) -> None:
    """Of this process, for good. It writes no file."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def draw_svg(mermaid: str, *, faster: bool = True) -> str:
    """The picture, sanitised. `faster` False: with mermaidx as it is, for comparison.

    Raises RuntimeError for what Mermaid refuses.
    """
    import mermaidx

    from shared.pictures.sanitize import sanitized

    _measure_what_is_shown()
    if faster:
        _make_faster()
    digest = hashlib.sha256(mermaid.encode("utf-8", "backslashreplace")).hexdigest()
    drawn = mermaidx.render(_with_standins(mermaid), config=_CONFIG).svg()
    return sanitized(drawn, id=f"diagram-{digest[:12]}", shown=_SHOWN)


def _with_standins(mermaid: str) -> str:
    def standin(reference: re.Match[str]) -> str:
        code = int(reference[1] or ord('"'))
        return chr(_STANDINS + code) if _STANDINS + code in _SHOWN else reference[0]

    return _REFERENCE.sub(standin, mermaid.translate(_OTHERS_OWN))


def _measure_what_is_shown() -> None:
    from mermaidx.engines import quickjs_engine

    measurer = quickjs_engine.TextMeasurer

    class Measurer(measurer):  # type: ignore[misc, valid-type]  # mermaidx has no types
        def width(self, text: str | None, *font: Any) -> Any:
            return super().width((text or "").translate(_SHOWN), *font)

        def full(self, text: str | None, *font: Any) -> Any:
            return super().full((text or "").translate(_SHOWN), *font)

        def glyphs(self, text: str | None, *font: Any) -> Any:
            return super().glyphs((text or "").translate(_SHOWN), *font)

    quickjs_engine.TextMeasurer = Measurer


def _make_faster() -> None:
    from mermaidx.engines import quickjs_engine

    own = quickjs_engine.context_scripts()
    after = Path(__file__).with_name("faster.js").read_text(encoding="utf-8")
    before = "globalThis.__plainExec = RegExp.prototype.exec;"
    quickjs_engine.context_scripts = lambda: (before, *own, after)


def _png(svg: str) -> bytes:
    """On white, at a scale that keeps it within bounds."""
    from mermaidx.raster import render_png
    from novasvg import Document

    natural: Any = Document.load_from_data(svg)
    width, height = max(1.0, natural.width), max(1.0, natural.height)
    fitting = min(MAX_SIDE / width, MAX_SIDE / height, math.sqrt(_MAX_PIXELS / (width * height)))
    return bytes(render_png(svg, scale=min(_SCALE, fitting), background="#ffffff"))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # at once: mermaidx already prepares for a second picture
