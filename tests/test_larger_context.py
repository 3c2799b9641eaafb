"""A text that is too long for one model goes to one that takes more, not to the next in line."""

from __future__ import annotations

import json

from tests.marginalia import marginalia
from tests.simulator import Reply, Simulator
from tests.simulator.openai import error

TOO_LONG = Reply(status=400, body=json.dumps(error(400, code="context_length_exceeded")).encode())
QUESTION = {"concept": "How a release is made", "context": "A captain tags the build, then it ships."}


async def test_a_larger_context_is_asked_before_the_next_in_line(database_url: str) -> None:
    async with Simulator() as groq, Simulator() as openai, Simulator() as openrouter:
        groq.reply(TOO_LONG)
        openrouter.reply_text(json.dumps({"diagram_type": "flowchart", "title": "T", "nodes": [{"id": "a"}]}))
        providers = {"groq": groq, "openai": openai, "openrouter": openrouter}
        environ = {
            **{f"{name.upper()}_BASE_URL": sim.base_url for name, sim in providers.items()},
            **{f"{name.upper()}_API_KEY": "k" for name in providers},
            "AI_DIAGRAMS_PROVIDER": "groq",  # takes 131,072 tokens
            "AI_FALLBACK_PROVIDER": "openai,openrouter",
            "OPENAI_QUALITY_MODEL": "gpt-4o",  # 128,000
            "OPENROUTER_QUALITY_MODEL": "google/gemini-2.5-flash",  # 1,048,576
            "AI_EMBEDDING_PROVIDER": "builtin",
            "AI_OFFLINE": "never",
        }
        async with marginalia(database_url, environ) as client:
            answer = await client.post("/functions/v1/create-diagram", json=QUESTION)
        assert answer.status_code == 200, answer.text
        assert answer.json()["meta"]["provider"] == "openrouter"
        assert [len(sim.requests) for sim in (groq, openai, openrouter)] == [1, 0, 1]
