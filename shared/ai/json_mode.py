"""How JSON is asked for: in the request where a provider has a field for it, else in the prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template

from shared.ai.schemas import is_strict
from shared.providers import Provider
from shared.types import Json, JsonObject, JsonSchema


def instruction(schema: Mapping[str, Json] | None) -> str:
    """What the model is told; without a schema any JSON object will do."""
    if schema is None:
        return prompt("json_object").template
    return prompt("json_answer").substitute(schema=json.dumps(schema, ensure_ascii=False))


def response_format(schema: JsonSchema | None, row: Provider) -> JsonObject | None:
    """The field of that name, or None where it is not sent."""
    if schema is None or row.json_output == "prompt":
        return None
    if row.json_output == "object":
        return {"type": "json_object"}
    named: JsonObject = {"name": schema.name, "schema": schema.schema}
    if is_strict(schema.schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


@cache
def prompt(name: str) -> Template:
    return Template((Path(__file__).with_name("prompts") / f"{name}.md").read_text(encoding="utf-8").strip())
