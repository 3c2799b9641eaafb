"""Files as documents: which of a folder's files are documents, and what each is called."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.text.titles import first_heading
from shared.types import DocumentKind, Json

MAX_BYTES = 2 * 1024 * 1024  # as the endpoints take

_KINDS = {
    ".md": DocumentKind.MARKDOWN,
    ".markdown": DocumentKind.MARKDOWN,
    ".ts": DocumentKind.TYPESCRIPT,
    ".tsx": DocumentKind.TYPESCRIPT,
    ".json": DocumentKind.JSON,
}
SUFFIXES = ", ".join(_KINDS)

_MAX_TITLE = 1000  # characters, as the endpoints take


class UnreadableFile(Exception):
    """The file is no document; the message says why, without the path."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that should become a document."""

    path: Path
    document_id: str
    kind: DocumentKind


@dataclass(frozen=True, slots=True)
class SourceText:
    """What stands in a file; JSON pretty-printed, as the endpoints store it."""

    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Found:
    files: tuple[SourceFile, ...]
    problems: tuple[tuple[Path, str], ...]  # what could not be taken, and why


def find_files(paths: Sequence[Path]) -> Found:
    """Every document under the paths, in order, each once.

    Ids begin with the name of the folder given, or of a given file's folder, so that both ways of naming a
    file lead to the same document. Hidden files, node_modules and links to folders are passed over.
    """
    by_id: dict[str, SourceFile] = {}
    problems: list[tuple[Path, str]] = []
    for path, document_id in _walk(paths, problems):
        kind = _KINDS.get(path.suffix.lower())
        if kind is None:
            continue
        first = by_id.setdefault(document_id, SourceFile(path, document_id, kind))
        if first.path != path:
            problems.append((path, f"would have the same id as {first.path}"))
    return Found(tuple(by_id.values()), tuple(problems))


def _walk(paths: Sequence[Path], problems: list[tuple[Path, str]]) -> Iterator[tuple[Path, str]]:
    """Each file with its id; folders that cannot be read go to `problems`."""

    def unreadable(error: OSError) -> None:
        problems.append((Path(error.filename), f"cannot be read: {error.strerror}"))

    for given in paths:
        root = given.resolve()
        if not root.is_dir():
            yield root, root.relative_to(root.parent.parent).as_posix()
            continue
        for folder, folders, names in os.walk(root, onerror=unreadable):
            folders[:] = sorted(name for name in folders if not _passed_over(name))
            for path in (Path(folder, name) for name in sorted(names) if not _passed_over(name)):
                yield path, path.relative_to(root.parent).as_posix()


def _passed_over(name: str) -> bool:
    return name.startswith(".") or name == "node_modules"


def read_file(source: SourceFile) -> SourceText:
    """Raises UnreadableFile for what cannot be a document."""
    text = _decoded(_bytes(source.path))
    if not text.strip():
        raise UnreadableFile("is empty")
    if source.kind is DocumentKind.JSON:
        return SourceText(_pretty(text), source.path.name)
    heading = first_heading(text) if source.kind is DocumentKind.MARKDOWN else None
    return SourceText(text, (heading or source.path.name)[:_MAX_TITLE])


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise UnreadableFile(f"is larger than {MAX_BYTES // 1024**2} MiB")
    return content


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"is not UTF-8 (byte {error.start})") from error
    if "\0" in text:
        raise UnreadableFile("is not text: it holds a NUL character")
    return text


def _pretty(text: str) -> str:
    from shared.documents import pretty

    try:
        value = json.loads(text, parse_constant=_no_json)
        if value is None:
            raise UnreadableFile("is empty: its JSON is null")
        return pretty(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"is not JSON: {error}") from error


def _no_json(name: str) -> Json:
    raise ValueError(f"{name} is no JSON value")
