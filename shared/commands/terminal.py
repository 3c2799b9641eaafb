"""What the commands say, and where: results on stdout, progress and problems on stderr."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from shared.types import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FAILED = 1
MISUSED = 2  # wrong use, or a wrong variable
INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM

# Right-to-left overrides and their kin can make a line read as what it is not.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Text from documents and models, without what a terminal would obey (escapes, bells, overrides)."""
    return "".join(character for character in text if character in "\n\t" or _is_shown(character))


def _is_shown(character: str) -> bool:
    return character not in _BIDI_CONTROLS and unicodedata.category(character) not in ("Cc", "Cs")


def output() -> Console:
    """Stdout. Wide where it is no terminal: a log or a pipe must not fold what a person would grep for."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    return Console(markup=False, highlight=False, soft_wrap=True, width=width)


def messages() -> Console:
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """A line on stderr, for people."""
    print(plain(message), file=sys.stderr, flush=True)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """One line on stderr, and the end."""
    say(f"marginalia: {' '.join(message.split())}")
    raise SystemExit(code)


def print_json(value: Json) -> None:
    """UTF-8 whatever the locale; half a surrogate pair, as in an odd file name, as its escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def table(*headings: str, rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> Table:
    """A table for a terminal; the columns named in `numbers` stand to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        made.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(cell)) for cell in row))
    return made
