"""What each provider can do here, from the rows; and every recorded answer, replayed and classified.

    python -m benchmarks.providers            prints both tables
    python -m benchmarks.providers --write    puts them into docs/providers.md

The recordings stand beside the repository; where they are absent their table stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from shared.providers import PROVIDERS, Provider
from shared.types import Tier
from tests.recorded import RECORDINGS, Record, embedded, passed_through, recorded_answer, recordings

PAGE = Path(__file__).parents[1] / "docs" / "providers.md"
_JSON = {"schema": "schema", "object": "JSON mode", "prompt": "prompt"}
_WIRES = {"openai": "chat completions", "anthropic": "Messages"}


def rows_table() -> str:
    """What each provider can do, a line each."""
    titles = ("provider", "wire", "JSON", "embeddings", "prefill", "`reasoning_effort`", "refuses", "gateway")
    return _table(titles, [_row(row) for row in PROVIDERS.values()])


def _row(row: Provider) -> Sequence[str]:
    embeddings = (
        "—" if row.embedding_model is None else f"`{row.embedding_model}`, {row.embedding_batch} a request"
    )
    refused = _code(row.refuses)
    if row.strict_models:
        refused = "; ".join(
            filter(None, (refused, f"{_code(row.strict_models)}: {_code(row.strict_models_refuse)}"))
        )
    return (
        row.name,
        _WIRES[row.wire],
        _JSON[row.json_output] + (" and prompt" if row.schema_in_prompt else ""),
        embeddings,
        "yes" if row.accepts_prefill else "—",
        "every model" if "" in row.reasoning_models else _code(row.reasoning_models) or "—",
        refused or "—",
        f"`{row.gateway_path}`" if row.gateway_path else "—",
    )


def models_table() -> str:
    """Where each provider is, and which of its models is asked for what."""
    return _table(
        ("provider", "address", *(tier.value for tier in Tier)),
        [(row.name, row.base_url, *(f"`{row.models[tier]}`" for tier in Tier)) for row in PROVIDERS.values()],
    )


async def recordings_table(records: Sequence[Record]) -> str:
    """How many recorded answers of each provider came out as what."""
    exact: Counter[str] = Counter()
    failed: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        outcome, is_exact = await _classified(record)
        if is_exact:
            exact[record.provider] += 1
        else:
            failed[record.provider][outcome] += 1
    providers = sorted({record.provider for record in records})
    lines = [
        (name, str(exact[name] + failed[name].total()), str(exact[name]), _counted(failed[name]))
        for name in providers
    ]
    total = sum(counter.total() for counter in failed.values())
    lines.append(("**all**", str(len(records)), str(exact.total()), str(total)))
    return _table(("provider", "recorded", "exact", "failures, by name"), lines)


async def _classified(record: Record) -> tuple[str, bool]:
    """The outcome, and whether an answer came out as it was recorded, to the character and the token."""
    if record.kind == "embeddings":
        outcome = (await embedded(record)).outcome.value
        return outcome, outcome == "ok"
    answered, expected = await passed_through(record), recorded_answer(record)
    if expected is None:
        return answered.outcome, answered.outcome == "ok"
    same = (answered.text, answered.finish, answered.usage) == (
        expected.text,
        expected.finish,
        expected.usage,
    )
    return answered.outcome, same and len(answered.tool_calls) == len(expected.tool_calls)


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())) or "—"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def written(page: str, name: str, table: str) -> str:
    """The page with the table between its two marks."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    replaced, count = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}{table}{end}", page, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{PAGE} has no place marked {name}")
    return replaced


def main(arguments: Sequence[str]) -> int:
    logging.disable(logging.WARNING)  # each failed attempt says so
    tables = {"models": models_table(), "rows": rows_table()}
    if records := recordings():
        tables["recordings"] = asyncio.run(recordings_table(records))
    else:
        print(f"The recorded answers are not here: {RECORDINGS}", file=sys.stderr)
    if "--write" in arguments:
        page = PAGE.read_text(encoding="utf-8")
        for name, table in tables.items():
            page = written(page, name, table)
        PAGE.write_text(page, encoding="utf-8")
    else:
        print("\n".join(tables.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
