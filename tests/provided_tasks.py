"""The four tasks with two simulated providers, and what these answer, for tests over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.marginalia import with_simulators
from tests.simulator import Simulator

GUIDE = """# Release guide

Releases go out every Tuesday. The release captain tags the build at 10:00 UTC.

## Rollback

A rollback takes four minutes and needs the approval of two engineers.

## Naming

Each release carries the name of a river, for example Danube.
"""
FINDING = "A rollback takes four minutes"
ANALYSIS = {
    "summary": "A guide to releases.",
    "missing_sections": [
        {
            "title": "Monitoring",
            "reason": "Nobody watches.",
            "after_heading": "Rollback",
            "outline": ["Alerts"],
        }
    ],
    "improvements": [
        {
            "severity": 2,
            "category": "accuracy",
            "message": "Say from when the four minutes count.",
            "quote": FINDING,
            "replacement": "A rollback takes four minutes from the decision",
        },
        {
            "severity": 3,
            "category": "clarity",
            "message": "This text is nowhere.",
            "quote": "The zebra crossed the motorway at noon",
            "replacement": None,
        },
    ],
    "scores": {"completeness": 60, "clarity": 80, "structure": 70},
}
GRAPH = {
    "diagram_type": "flowchart",
    "title": "Release",
    "nodes": [
        {"id": "tag", "label": "Tag the build", "quote": "tags the build at 10:00 UTC"},
        {"id": "ship", "label": "Ship; click here"},
    ],
    "edges": [{"from": "tag", "to": "ship", "label": "then"}],
}
AT_THE_END = {"content": GUIDE, "cursor_position": {"line": 99, "character": 99}}


@dataclass
class World:
    client: httpx.AsyncClient
    together: Simulator
    openai: Simulator


@asynccontextmanager
async def provided(database_url: str) -> AsyncIterator[World]:
    """The server with the guide stored, Together first and OpenAI as its fallback."""
    async with with_simulators(database_url) as (client, together, openai):
        stored = await client.put("/functions/v1/documents/guide.md", json={"markdown_content": GUIDE})
        assert stored.status_code == 200, stored.text
        yield World(client, together, openai)


async def ok(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    answer = await client.post(f"/functions/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()
