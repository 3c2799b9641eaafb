"""Imports point one way, handlers do not know each other, and nobody else reads the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each layer may import itself and what stands before it.
LAYERS = (
    ("shared.types",),
    ("shared.errors",),
    ("shared.providers", "shared.custom_providers"),
    ("shared.settings",),
    ("shared.text", "shared.single_flight", "shared.telemetry", "shared.pictures"),
    ("shared.ai", "shared.store"),
    ("shared.indexing", "shared.retrieval", "shared.ledger"),
    ("shared.tasks",),
    ("shared.addressing",),
    ("shared.smart_ai_service", "shared.gateway", "shared.embedding_gateway"),
    ("shared.services",),
    (
        "shared.http",
        "shared.auth",
        "shared.api",
        "shared.api_models",
        "shared.api_usage",
        "shared.catalog_json",
        "shared.documents",
        "shared.usage",
    ),
    ("shared.openapi",),
    ("shared.commands",),
    ("shared.cli",),
    ("functions",),
)


def modules() -> list[Path]:
    return [path for folder in ("shared", "functions") for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """The modules of ours that a file imports, also inside functions; not those for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def layer_of(module: str) -> int | None:
    for number, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return number
    return None


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    own = layer_of(name_of(path))
    if name_of(path) in ("shared", "functions.__main__"):
        return
    assert own is not None, f"{name_of(path)} has no layer"
    for imported in imports(path):
        layer = layer_of(imported)
        assert layer is None or layer <= own, f"{name_of(path)} imports {imported}"


def test_the_provider_layer_and_the_database_do_not_know_each_other() -> None:
    for path in modules():
        for one, other in (("shared.ai", "shared.store"), ("shared.store", "shared.ai")):
            if name_of(path).startswith(one):
                assert not [found for found in imports(path) if found.startswith(other)], path


def test_functions_import_no_sibling() -> None:
    for path in sorted((ROOT / "functions").glob("*.py")):
        if path.stem != "__main__":
            assert not [found for found in imports(path) if found.startswith("functions")], path


def test_the_settings_are_the_only_reader_of_the_environment() -> None:
    """Those who pass `os.environ` on to the settings are named here."""
    passing_on = {"shared.settings", "shared.services", "shared.cli", "shared.commands.terminal"}
    readers = {
        name_of(path)
        for path in modules()
        if "environ[" in (text := path.read_text(encoding="utf-8"))
        or "getenv" in text
        or "os.environ" in text
    }
    assert readers <= passing_on
