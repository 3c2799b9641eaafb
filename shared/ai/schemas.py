"""JSON Schemas, fitted to what a provider's decoder takes of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from shared.types import Json

_Fit: TypeAlias = Callable[[Json], Json]
_Check: TypeAlias = Callable[[Mapping[str, Json]], bool]

# What Anthropic's decoder does not know and answers with an error
# (https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations).
_BOUNDS = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    }
)


def is_strict(schema: Json) -> bool:
    """Whether every object in it names all its properties as required and allows no others.

    OpenAI refuses `strict` for any other schema
    (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas).
    """
    return _every_object(schema, lambda found: set(found.get("required", ())) == set(found["properties"]))


def is_closed(schema: Json) -> bool:
    """Whether no object in it allows properties that it does not name: what Anthropic asks of a schema."""
    return _every_object(schema, lambda found: True)


def without_bounds(schema: Json) -> Json:
    """The same without the bounds on numbers and lengths that Anthropic does not take."""
    if isinstance(schema, list):
        return [without_bounds(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        name: _kept(name, value, without_bounds)
        for name, value in schema.items()
        if name not in _BOUNDS and not (name == "minItems" and value not in (0, 1))
    }


def _kept(name: str, value: Json, fit: _Fit) -> Json:
    """A property's name may be that of a keyword; what stands in an enum is no schema."""
    if name in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
        return {key: fit(part) for key, part in value.items()}
    return value if name in ("enum", "const", "default", "examples", "required") else fit(value)


def _every_object(schema: Json, holds: _Check) -> bool:
    if isinstance(schema, list):
        return all(_every_object(item, holds) for item in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        if schema.get("additionalProperties") is not False or not holds(schema):
            return False
    elif schema.get("type") == "object":
        return False
    return all(_every_object(value, holds) for value in schema.values())
