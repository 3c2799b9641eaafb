"""What a handler's cold start costs in imports: wall time of a fresh interpreter for each handler module.

The reference is what any handler of this kind needs anyway. Each round runs every statement once, one
after the other, so that a busy moment of the machine falls on all of them; the median of the rounds counts.

    python -m benchmarks.imports [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
REFERENCE = "starlette.applications, httpx, pydantic"
GOAL = 1.3  # times the reference, for generate_suggestions
HEAVY = (
    "numpy",
    "psycopg",
    "supabase",
    "semantic_text_splitter",
    "tree_sitter",
    "rapidfuzz",
    "typer",
    "rich",
)


def handlers() -> list[str]:
    """The handler modules: those of `functions/` that a platform deploys one by one."""
    names = sorted(path.stem for path in (ROOT / "functions").glob("*.py") if not path.stem.startswith("_"))
    return [f"functions.{name}" for name in names]


def python(statement: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", statement], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


def seconds(modules: str) -> float:
    begin = time.perf_counter()
    python(f"import {modules}")
    return time.perf_counter() - begin


def medians(statements: list[str], rounds: int) -> dict[str, float]:
    """Seconds for each, over interleaved rounds; the first round warms the file cache and does not count."""
    times: dict[str, list[float]] = {statement: [] for statement in statements}
    for number in range(rounds + 1):
        for statement in statements:
            took = seconds(statement)
            if number:
                times[statement].append(took)
    return {statement: statistics.median(found) for statement, found in times.items()}


def heavy_imports(modules: str) -> str:
    return python(f"import sys, {modules}; print(' '.join(name for name in {HEAVY} if name in sys.modules))")


def main(rounds: int) -> None:
    names = handlers()
    found = medians(["sys", REFERENCE, *names], rounds)
    reference = found[REFERENCE]
    print(f"| import | ms, median of {rounds} | times the reference | heavy libraries |")
    print("| --- | ---: | ---: | --- |")
    for statement, took in found.items():
        heavy = heavy_imports(statement) or "none"
        print(f"| {statement} | {took * 1000:.0f} | {took / reference:.2f} | {heavy} |")
    suggestions = found.get("functions.generate_suggestions")
    if suggestions is not None:
        print(f"\ngenerate_suggestions: {suggestions / reference:.2f} times the reference; goal {GOAL}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
