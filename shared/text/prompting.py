"""Prompts: Markdown files with $names, and the delimiters that keep untrusted text inside them.

A prompt file has a system part and, after a line `---user---`, a user part. Values are put in after
the two are apart, in one pass, so that no value can move the border or name another value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from shared.types import Match, Message

USER_MARKER = "---user---"
TAG = "untrusted"
MAX_LABEL = 200  # characters

_FOLDER = Path(__file__).resolve().parent.parent / "prompts"
_NAME = re.compile(r"[a-z][a-z_]*", re.ASCII)
_NONCE = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
_ANY_TAG = re.compile(rf"[<＜](?=\s*[/／]?\s*{TAG})", re.IGNORECASE)
_LABEL_NOISE = re.compile(r"[\s\x00-\x1f\x7f\"<>＜＞\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file. `template` is its whole text; `hash` is the SHA-256 of that text, hexadecimal."""

    template: str
    hash: str

    def render(self, **values: object) -> str:
        """System and user part as one text. Raises KeyError for a value that is missing."""
        return "\n\n".join(message.content for message in self.messages(**values))

    def messages(self, **values: object) -> tuple[Message, ...]:
        """One system message and one user message. Raises KeyError for a value that is missing."""
        system, user = self._parts()
        return (
            Message("system", Template(system).substitute(values)),
            Message("user", Template(user).substitute(values)),
        )

    def _parts(self) -> tuple[str, str]:
        system, _, user = self.template.partition(f"\n{USER_MARKER}\n")
        return system.strip(), user.strip()


@cache
def load_prompt(name: str) -> Prompt:
    """The prompt of `shared/prompts/<name>.md`, read once. Raises ValueError for any other name."""
    path = _FOLDER / f"{name}.md"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise ValueError(f"no prompt is named {name!r}")
    text = path.read_text(encoding="utf-8")
    return Prompt(text, hashlib.sha256(text.encode()).hexdigest())


def delimit(text: str, label: str, nonce: str) -> str:
    """`text` between two tags that it cannot write itself, because they carry the request's nonce.

    `nonce` is random and of one request: 8 to 64 ASCII letters and digits, else ValueError. Inside, the
    nonce is masked and the `<` of anything that looks like our tag, with or without nonce, becomes `‹`.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 8 to 64 ASCII letters and digits")
    inside = _ANY_TAG.sub("‹", _without(text, nonce))
    title = _LABEL_NOISE.sub(" ", _without(label, nonce)).strip()[:MAX_LABEL]
    return f'<{TAG}-{nonce} label="{title}">\n{inside}\n</{TAG}-{nonce}>'


def _without(text: str, nonce: str) -> str:
    return re.sub(re.escape(nonce), "*" * len(nonce), text, flags=re.IGNORECASE)


def delimit_passages(matches: Sequence[Match], nonce: str, *, first: int = 1) -> str:
    """The passages an answer may cite, each labelled with its number from [`first`] and where it stands."""
    return "\n\n".join(
        delimit(match.text, f"[{number}] {passage_source(match)}", nonce)
        for number, match in enumerate(matches, first)
    )


def passage_source(match: Match) -> str:
    """`Title › Heading › Subheading`."""
    return " › ".join((match.document_title, *match.heading_path))
