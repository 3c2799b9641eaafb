"""Citations: how many wrong ones are sent, and how many right ones are kept.

A simulated model answers over six passages and misbehaves in known ways (`tests/citation_cases.py`): which
citation is right is known by how the case was made, or from people's labels (SQuAD 2.0). Beside ours: words
alone, without vectors; the model's markers passed on as they are; the passage nearest by vector attached.

"another answer" and "unanswerable" state a question with a name of its passage that people did not label as
its answer. What words and these vectors cannot tell of them is reported and does not fail the run.

    python -m benchmarks.citations [CASES [SEED]]    # of each kind and set, default: 100 measured

The rules and the cosine were chosen with the default seed in sight: another seed gives cases that nobody has
looked at.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from random import Random

from benchmarks._retrieval_data import DATA, read_lines
from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.text.chunking import chunk_document
from shared.text.citations import check_answer
from shared.types import DocumentKind, Match
from tests.citation_cases import KINDS, LABELLED, RIGHT, Case, Paragraph, case

CASES = 100
SEED = "measured"
GUIDES = 150  # files of each of the Markdown sets
_TRIES = 40  # for each case: not every sentence has a number, a name, …


def squad() -> list[Paragraph]:
    questions = defaultdict(list)
    for one in read_lines("squad2_dev/questions.jsonl"):
        questions[one["para_id"]].append(one)
    return [
        Paragraph(
            document["title"],
            document["text"][paragraph["start"] : paragraph["end"]],
            tuple((one["question"], one["answers"][0]["text"]) for one in asked if one["answerable"]),
            tuple(one["question"] for one in asked if not one["answerable"]),
        )
        for document in read_lines("squad2_dev/docs.jsonl")
        for paragraph in document["paragraphs"]
        for asked in [questions[paragraph["para_id"]]]
    ]


def guides() -> list[Paragraph]:
    """Passages of the AWS guides and the Rust book, and of the chunking evaluation, as they are indexed."""
    files = sorted((DATA / "markdown_corpus").rglob("*.md"))
    texts = {str(file): file.read_text(encoding="utf-8") for file in files[:: max(1, len(files) // GUIDES)]}
    texts |= {one["doc_id"]: one["text"][:60_000] for one in read_lines("chunking_eval/docs.jsonl")}
    return [
        Paragraph(name.rsplit("/", 1)[0], chunk.text, (), ())
        for name, text in texts.items()
        for chunk in chunk_document(text, DocumentKind.MARKDOWN)
    ]


def matches(passages: Sequence[Paragraph]) -> list[Match]:
    return [
        Match(str(number), one.article, one.article, "hash", one.text, 0, len(one.text), 0, 0, (), None, 0.0)
        for number, one in enumerate(passages)
    ]


def nearest(made: Case, similarity: Callable[[str, str], float]) -> int:
    """The number of the passage most like the reply."""
    numbers = range(1, len(made.passages) + 1)
    return max(numbers, key=lambda number: similarity(made.reply, made.passages[number - 1].text))


def measure(kind: str, paragraphs: Sequence[Paragraph], count: int, seed: str) -> Counter[str]:
    chance, similarity = Random(f"{seed}: {kind}"), BuiltinEmbedder().similarity
    counts: Counter[str] = Counter()
    for _ in range(count * _TRIES):
        made = case(kind, paragraphs, chance)
        if made is None:
            continue
        counts["cases"] += 1
        began = time.process_time()
        by_words = check_answer(made.reply, matches(made.passages)).citations
        counts["µs words"] += round((time.process_time() - began) * 1e6)
        checked = check_answer(made.reply, matches(made.passages), similarity).citations
        counts["µs"] += round((time.process_time() - began) * 1e6)
        counts += _tally("words ", {one.marker for one in by_words}, made)
        counts += _tally("", {one.marker for one in checked}, made)
        counts += _tally(
            "passed on ", {number for number in made.markers if 0 < number <= len(made.passages)}, made
        )
        counts += _tally("nearest ", {nearest(made, similarity)}, made)
        if counts["cases"] == count:
            break
    return counts


def _tally(name: str, sent: set[int], made: Case) -> Counter[str]:
    return Counter({f"{name}kept": len(sent & made.right), f"{name}wrong": len(sent - made.right)})


COLUMNS = ("kept", "wrong", "words kept", "words wrong", "passed on wrong", "nearest wrong")


def row(name: str, counts: Counter[str]) -> str:
    figures = "".join(f"{counts[column]:>17}" for column in COLUMNS)
    return f"{name:<22}{counts['cases']:>7}{figures}"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when a citation was sent that is wrong by construction."""
    if not DATA.is_dir():
        print(f"SKIPPED: the benchmark's data is not at {DATA}")
        return 0
    count = int(arguments[0]) if arguments else CASES
    seed = arguments[1] if len(arguments) > 1 else SEED
    wrong = 0
    for name, paragraphs in (("SQuAD 2.0", squad()), ("guides and long documents", guides())):
        print(
            f"\n{name}: {len(paragraphs)} passages\n{'':<22}{'cases':>7}"
            + "".join(f"{one:>17}" for one in COLUMNS)
        )
        totals = {
            "right": Counter[str](),
            "wrong by construction": Counter[str](),
            "labelled wrong": Counter[str](),
        }
        for kind in KINDS:
            counts = measure(kind, paragraphs, count, seed)
            if counts["cases"]:
                print(row(kind, counts), flush=True)
                group = (
                    "right"
                    if kind in RIGHT
                    else "labelled wrong"
                    if kind in LABELLED
                    else "wrong by construction"
                )
                totals[group] += counts
        for group, total in totals.items():
            print(row(f"all {group}", total))
        wrong += totals["right"]["wrong"] + totals["wrong by construction"]["wrong"]
        every = sum(totals.values(), Counter[str]())
        print(f"checked without and with vectors: {every['µs'] / every['cases'] / 1000:.2f} ms CPU a reply")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
