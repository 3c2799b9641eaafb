"""Anchors: how fast a thousand are mapped onto newer text, how many are lost or misplaced, and how well
misquoted text is located.

Rebasing: anchors at random places of 1 MB, then random edits of it. Misplaced: at another place than the one
the edits moved the words to; lost: stale although no edit touched the words. Locating: quotes of each length
with one wrong character in twenty; foreign: the quote is found in another document, where its right words do
not stand. Then the same for other limits of similarity than the one in use.

    python -m benchmarks.anchors
"""

from __future__ import annotations

import random
import re
import sys
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

from benchmarks._retrieval_data import DATA
from shared.text import quotes
from shared.text.anchors import locate, make_anchor, rebase
from shared.text.folding import fold
from shared.text.positions import Utf16Text

ANCHORS = 1000
SEEDS = range(101, 109)
EDITS = (0, 1, 10, 100, 1000, 5000)
INSERTED = ("", "x", "A whole new sentence here. ", "\n\n")
LENGTHS = (12, 16, 25, 50, 120, 300)
QUOTES = 500
SIMILARITIES = (80.0, 84.0, 88.0, 90.0, 92.0, 95.0)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Edit:
    start: int
    end: int
    inserted: str


def random_edits(text: str, count: int, chance: random.Random) -> list[Edit]:
    edits: list[Edit] = []
    for start in sorted(chance.sample(range(len(text)), count)):
        if not edits or start >= edits[-1].end:
            edits.append(Edit(start, min(len(text), start + chance.randrange(40)), chance.choice(INSERTED)))
    return edits


def applied(text: str, edits: list[Edit]) -> str:
    starts = [0, *(edit.end for edit in edits)]
    ends = [*(edit.start for edit in edits), len(text)]
    inserted = [*(edit.inserted for edit in edits), ""]
    return "".join(text[start:end] + new for start, end, new in zip(starts, ends, inserted, strict=True))


def rebase_counts(text: str, count: int, chance: random.Random) -> Counter[str]:
    """Of ANCHORS: how many of each status, lost and misplaced; and the milliseconds it took."""
    old = Utf16Text(text)
    spans = [
        (start, start + chance.randrange(3, 80)) for start in chance.sample(range(len(text) - 80), ANCHORS)
    ]
    anchors = [make_anchor(old, *span, content_hash="old", document_id=None) for span in spans]
    edits = random_edits(text, count, chance)
    new = Utf16Text(applied(text, edits))
    began = time.perf_counter()
    results = rebase(anchors, new, content_hash="new")
    counts = Counter({"ms": round((time.perf_counter() - began) * 1000)})

    starts = [edit.start for edit in edits]
    shifts = [0, *accumulate(len(edit.inserted) - (edit.end - edit.start) for edit in edits)]
    for (start, end), result in zip(spans, results, strict=True):
        counts[result.status] += 1
        before = bisect_right(starts, start)
        touched = any(
            edit.start < end and edit.end > start for edit in edits[max(0, before - 1) : before + 80]
        )
        if touched or bisect_right(starts, end - 1) > before:
            continue
        if result.anchor is None:
            counts["lost"] += 1
        else:
            counts["misplaced"] += new.to_index(result.anchor.position.start) != start + shifts[before]
    return counts


def measure_rebase(name: str, text: str) -> None:
    """One row for each number of edits, then all together over the seeds nothing was chosen by."""
    columns = ("unchanged", "moved", "stale", "lost", "misplaced", "ms")
    print(f"\n{name}: {ANCHORS} anchors in 1 MB\n  edits  " + "  ".join(f"{one:>9}" for one in columns))
    for count in EDITS:
        row = rebase_counts(text, count, random.Random(1))
        print(f"  {count:5}  " + "  ".join(f"{row[one]:9}" for one in columns), flush=True)
    total: Counter[str] = Counter()
    for seed in SEEDS:
        for count in EDITS[2:]:
            total += rebase_counts(text, count, random.Random(seed))
    found = ", ".join(f"{total[one]} {one}" for one in columns[2:5])
    print(f"  {len(SEEDS)} other seeds, {len(SEEDS) * len(EDITS[2:]) * ANCHORS} anchors: {found}")


def misquoted(quote: str, chance: random.Random) -> str:
    letters = list(quote)
    for _ in range(max(1, len(quote) // 20)):
        place = chance.randrange(len(letters))
        letters[place] = chance.choice((chance.choice(LETTERS), "", letters[place] + chance.choice(LETTERS)))
    return "".join(letters)


def a_quote(text: str, length: int, chance: random.Random) -> tuple[int, int]:
    """Whole words, of at least `length` characters."""
    while True:
        start = chance.randrange(len(text) - 2 * length)
        first, last = (
            re.compile(r"\s\S").search(text, start),
            re.compile(r"\S(?=\s)").search(text, start + length),
        )
        if first and last and last.end() - first.end() >= length - 1:
            return first.end() - 1, last.end()


def measure_locating(texts: list[Utf16Text], length: int, chance: random.Random) -> None:
    counts: Counter[str] = Counter()
    began = time.perf_counter()
    for _ in range(QUOTES):
        text, other = chance.sample(texts, 2)
        start, end = a_quote(text.text, length, chance)
        quote = misquoted(text.text[start:end], chance)
        counts[_verdict(locate(text, quote), (start, end))] += 1
        stands_there = fold(text.text[start:end]) in other.folded.text
        counts["foreign"] += not stands_there and locate(other, quote) is not None
    taken = (time.perf_counter() - began) / QUOTES / 2
    shares = "  ".join(f"{counts[name] / QUOTES:7.1%}" for name in ("right", "none", "elsewhere", "foreign"))
    print(f"  {length:6}  {shares}   {taken * 1000:.2f} ms", flush=True)


def _verdict(found: tuple[int, int] | None, wanted: tuple[int, int]) -> str:
    if found is None:
        return "none"
    return "right" if found[0] < wanted[1] and wanted[0] < found[1] else "elsewhere"


def main() -> None:
    files = sorted((DATA / "markdown_corpus").rglob("*.md"))
    if not files:
        sys.exit(f"SKIPPED: the benchmark's data is not at {DATA}")
    texts = [file.read_text(encoding="utf-8") for file in files if file.parent.name == "rust-book"]
    guides = [file.read_text(encoding="utf-8") for file in files if "aws" in file.parts]
    measure_rebase("The Rust book", "\n\n".join(texts)[:1_000_000])
    measure_rebase("AWS guides, which repeat themselves", "\n\n".join(guides)[:1_000_000])
    print("\nLocating misquoted text\n  length    right     none  elsewhere  foreign   a quote")
    long = [Utf16Text(text) for text in texts if len(text) > 5000]
    for length in LENGTHS:
        measure_locating(long, length, random.Random(length))
    in_use = quotes.MIN_SIMILARITY
    for quotes.MIN_SIMILARITY in SIMILARITIES:
        print(f"\nthe same from {quotes.MIN_SIMILARITY:.0f} %")
        for length in LENGTHS:
            measure_locating(long, length, random.Random(length))
    quotes.MIN_SIMILARITY = in_use


if __name__ == "__main__":
    main()
