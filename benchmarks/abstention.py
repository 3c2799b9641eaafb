"""When to say “the documents do not say”: measured on SQuAD 2.0's development set.

Half of its questions have no answer although the paragraph they were written for looks as if it had one
(Rajpurkar, Jia and Liang 2018). Passages come from a plain BM25 search over all paragraphs, six a question.
A second run asks every answerable question of all articles but its own: no passage can answer it.

Printed: the area under the ROC curve of `confidence`, the baseline's beside it (the search's own best score);
for each threshold the share of answerable questions that get an answer (recall), the share of the answers
given that were to be given (precision), the share of each kind of unanswerable question refused, and how
often the gold answer stands in what is quoted. At the low thresholds it is about asking a model at all.

    python -m benchmarks.abstention [--quick] [--service N]

`--quick` asks every fifth question. `--service N` asks N of them over HTTP of a server with the environment's
providers (a key is needed, and it costs), or of the offline answers where there is none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks._abstention_service import through_the_service
from shared.retrieval import WEAK
from shared.text.offline.answers import THRESHOLD, answer, confidence
from shared.text.offline.terms import terms
from shared.types import JsonObject, Match

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "retrieval" / "squad2_dev"
PASSAGES = 6
THRESHOLDS = (0.05, 0.10, 0.15, 0.20, 0.30, 0.35, 0.40, 0.45, 0.50, 0.60, 0.70)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: what it scored, and whether the quotes hold a gold answer."""

    score: float
    retrieval: float  # the search's own score of its best passage
    answered: bool
    quotes_gold: bool


class Search:
    """BM25 over paragraphs (k1 1.2, b 0.75)."""

    def __init__(self, passages: Sequence[Match]) -> None:
        self._passages = passages
        counts = [Counter(terms(passage.text)) for passage in passages]
        self._mean = sum(counter.total() for counter in counts) / len(counts)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        held_by = Counter(term for counter in counts for term in counter)
        for index, counter in enumerate(counts):
            length = 1.2 * (0.25 + 0.75 * counter.total() / self._mean)
            for term, times in counter.items():
                rarity = math.log(1 + (len(counts) - held_by[term] + 0.5) / (held_by[term] + 0.5))
                self._postings[term].append((index, rarity * times * 2.2 / (times + length)))

    def top(self, question: str, without: str | None = None) -> list[Match]:
        """The best passages with their scores, none of the document `without`."""
        scores: defaultdict[int, float] = defaultdict(float)
        for term in set(terms(question)):
            for index, value in self._postings.get(term, ()):
                scores[index] += value
        ranked = sorted(scores, key=lambda index: (-scores[index], index))
        found = (replace(self._passages[index], score=scores[index]) for index in ranked)
        kept = (passage for passage in found if passage.document_id != without)
        return [passage for passage, _ in zip(kept, range(PASSAGES), strict=False)]


def read_lines(path: Path) -> list[JsonObject]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def paragraphs(documents: Sequence[JsonObject]) -> list[Match]:
    return [
        Match(
            chunk_id=paragraph["para_id"],
            document_id=document["doc_id"],
            document_title=document["title"],
            content_hash="",
            text=document["text"][paragraph["start"] : paragraph["end"]],
            start=paragraph["start"],
            end=paragraph["end"],
            start_line=0,
            end_line=0,
            heading_path=(),
            similarity=None,
            score=0.0,
        )
        for document in documents
        for paragraph in document["paragraphs"]
    ]


def ask(search: Search, question: JsonObject, without: str | None = None) -> Asked:
    matches = search.top(question["question"], without)
    given = answer(question["question"], matches)
    quotes = [matches[one.match_index].text[one.start : one.end] for one in given.citations]
    gold = any(one["text"] in quote for one in question["answers"] for quote in quotes)
    retrieval = max((match.score for match in matches), default=0.0)
    return Asked(confidence(question["question"], matches), retrieval, not given.abstained, gold)


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties half: the Mann-Whitney statistic."""
    scores = sorted([(one, 1) for one in positive] + [(one, 0) for one in negative])
    wins, below, index = 0.0, 0, 0
    while index < len(scores):
        end = index
        while end < len(scores) and scores[end][0] == scores[index][0]:
            end += 1
        tied = [kind for _, kind in scores[index:end]]
        wins += sum(tied) * (below + 0.5 * tied.count(0))
        below += tied.count(0)
        index = end
    return wins / (len(positive) * len(negative))


def share(asked: Sequence[Asked], threshold: float) -> float:
    return sum(one.score >= threshold for one in asked) / len(asked)


def table(answerable: Sequence[Asked], tricky: Sequence[Asked], foreign: Sequence[Asked]) -> str:
    rows = ["threshold  recall  precision  unanswerable refused  foreign refused"]
    for threshold in THRESHOLDS:
        kept, wrong = share(answerable, threshold), share(tricky, threshold)
        right = kept * len(answerable)
        precision = right / (right + wrong * len(tricky))
        chosen = {THRESHOLD: "  <- offline", WEAK: "  <- a model is asked from here on"}.get(threshold, "")
        rows.append(
            f"{threshold:9.2f}  {kept:6.3f}  {precision:9.3f}  {1 - wrong:20.3f}  "
            f"{1 - share(foreign, threshold):15.3f}{chosen}"
        )
    return "\n".join(rows)


def print_curves(answerable: Sequence[Asked], tricky: Sequence[Asked], foreign: Sequence[Asked]) -> None:
    for name, unanswerable in (("unanswerable", tricky), ("foreign", foreign)):
        ours = area_under_curve([one.score for one in answerable], [one.score for one in unanswerable])
        plain = area_under_curve(
            [one.retrieval for one in answerable], [one.retrieval for one in unanswerable]
        )
        print(f"AUC answerable against {name}: {ours:.3f}, of the search's own score {plain:.3f}")


def main(arguments: Sequence[str]) -> int:
    """0, also where the data is absent: then it says so."""
    parser = argparse.ArgumentParser(prog="benchmarks.abstention")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--service", type=int, metavar="N", help="ask N questions of the whole service")
    options = parser.parse_args(arguments)
    if not DATA.is_dir():
        print(f"SKIPPED: the benchmark's data is not at {DATA}")
        return 0
    documents, questions = read_lines(DATA / "docs.jsonl"), read_lines(DATA / "questions.jsonl")
    if options.service:
        print(asyncio.run(through_the_service(documents, questions, options.service)))
        return 0
    measure(Search(paragraphs(documents)), questions[:: 5 if options.quick else 1])
    return 0


def measure(search: Search, questions: Sequence[JsonObject]) -> None:
    began = time.perf_counter()
    answerable = [ask(search, one) for one in questions if one["answerable"]]
    tricky = [ask(search, one) for one in questions if not one["answerable"]]
    each = (time.perf_counter() - began) / len(questions)
    foreign = [ask(search, one, one["doc_id"]) for one in questions if one["answerable"]]
    answered = [one for one in answerable if one.answered]
    print(
        f"{len(answerable)} answerable questions, {len(tricky)} without an answer; {each * 1000:.1f} ms each"
    )
    print_curves(answerable, tricky, foreign)
    print(table(answerable, tricky, foreign))
    print(f"gold answer within the quotes, of answerable questions: {_mean(answerable):.3f}")
    print(f"gold answer within the quotes, of those answered: {_mean(answered):.3f}")


def _mean(asked: Sequence[Asked]) -> float:
    return sum(one.quotes_gold for one in asked) / max(1, len(asked))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
