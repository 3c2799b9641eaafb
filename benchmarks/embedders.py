"""Embedders that need no server: feature hashing (ours) and wordllama, alone and with a ranking by words.

wordllama is no dependency; where it is not installed, its rows are left out. What is compared: the share of
questions with a right passage among the first 1, 5 and 10 and the mean reciprocal rank, over all passages of
a set; how well the best score tells answerable from unanswerable questions; seconds and megabytes.

    python -m benchmarks.embedders
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks._ranking import Scores, area_under_curve, fused, word_scores, worth
from benchmarks._retrieval_data import Collection, Passage, collections, is_right
from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.text.chunking import chunk_document, embedded_text
from shared.text.positions import Utf16Text
from shared.types import DocumentKind

Embed: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]

IMPORTS = {
    "hashed words": "import numpy; from shared.ai.builtin_embedder import BuiltinEmbedder",
    "wordllama": (
        "from pathlib import Path; import wordllama\n"
        "wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)"
    ),
    "numpy alone": "import numpy",
}

BROUGHT_ALONG_TEXT = """
wordllama tokenizers huggingface-hub hf-xet fsspec filelock safetensors requests urllib3
charset-normalizer tqdm toml PyYAML
"""
BROUGHT_ALONG = BROUGHT_ALONG_TEXT.split()


def embedders() -> dict[str, Embed]:
    builtin, runner = BuiltinEmbedder(), asyncio.Runner()
    found: dict[str, Embed] = {"hashed words": lambda texts: runner.run(builtin.embed(texts))}
    if find_spec("wordllama") is None:
        print("wordllama is not installed: its rows are left out")
        return found
    wordllama = import_module("wordllama")
    # Its own folder as the cache: the tokenizer in the wheel is looked for under another name than it has.
    model = wordllama.WordLlama.load(cache_dir=Path(str(wordllama.__file__)).parent, disable_download=True)
    found["wordllama"] = lambda texts: model.embed(list(texts), norm=True)
    return found


def passages_of(collection: Collection) -> tuple[list[Passage], list[str]]:
    passages: list[Passage] = []
    texts: list[str] = []
    for name, content in collection.documents.items():
        places = Utf16Text(content)
        for chunk in chunk_document(content, DocumentKind.MARKDOWN):
            passages.append(Passage(name, places.to_index(chunk.start), places.to_index(chunk.end)))
            texts.append(embedded_text(chunk.text, chunk.heading_path))
    return passages, texts


def compare(collection: Collection, found: dict[str, Embed]) -> None:
    passages, texts = passages_of(collection)
    questions = [question.text for question in collection.questions]
    right = [
        frozenset(number for number, passage in enumerate(passages) if is_right(question, passage))
        for question in collection.questions
    ]
    print(f"\n{collection.name}: {len(questions)} questions, {len(texts)} passages")
    print(f"  {'':28}  R@1    R@5    R@10   MRR    AUC")
    everything = [*questions, *collection.unanswerable]
    words = word_scores(texts, everything)
    rows = {"words (BM25)": words}
    for name, embed in found.items():
        vectors = embed(everything) @ embed(texts).T
        rows |= {name: vectors, f"{name} + words": fused(vectors, words)}
    for name, scores in rows.items():
        row = worth(scores[: len(questions)], right).row(1, 5, 10)
        # A fused score says nothing by itself: that of the first is always about the same.
        print(f"  {name:28}  {row}  {'-' if '+' in name else _area(scores, questions)}")


def _area(scores: Scores, answerable: Sequence[str]) -> str:
    if len(scores) == len(answerable):
        return "-"
    best = scores.max(axis=1)
    return f"{area_under_curve(best[: len(answerable)], best[len(answerable) :]):.3f}"


def measure_speed(texts: Sequence[str], questions: Sequence[str], found: dict[str, Embed]) -> None:
    megabytes = sum(map(len, texts)) / 1e6
    print(f"\n{'':14}  ready after  a query   a megabyte  installed")
    for name, embed in found.items():
        began = time.perf_counter()
        embed(texts)
        taken = (time.perf_counter() - began) / megabytes
        query = statistics.median(_timed(embed, question) for question in questions)
        print(
            f"{name:14}  {_ready(name) * 1000:6.0f} ms    {query * 1e6:4.0f} µs   {taken:5.2f} s"
            f"     {_megabytes(name):3.0f} MB"
        )
    print(f"{'numpy alone':14}  {_ready('numpy alone') * 1000:6.0f} ms")


def _timed(embed: Embed, question: str) -> float:
    began = time.perf_counter()
    embed([question])
    return time.perf_counter() - began


def _ready(name: str) -> float:
    """Seconds from the start of a process to the first vector it could make: the median of five."""

    def once(program: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return time.perf_counter() - began

    empty = statistics.median(once("pass") for _ in range(5))
    return statistics.median(once(IMPORTS[name]) for _ in range(5)) - empty


def _megabytes(name: str) -> float:
    """Of what comes with it beyond our own dependencies."""
    packages = BROUGHT_ALONG if name == "wordllama" else ()
    files = [file for package in packages for file in distribution(package).files or ()]
    return sum(file.size or 0 for file in files) / 1e6


def main() -> None:
    found = embedders()
    sets = collections()
    for collection in sets:
        compare(collection, found)
    measure_speed(passages_of(sets[1])[1], [question.text for question in sets[1].questions], found)


if __name__ == "__main__":
    main()
