"""Rankings and what they are worth."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]  # (questions, passages)

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Worth:
    """`ranks` are the places of the first right passage, from 0; None: it was not found."""

    ranks: tuple[int | None, ...]

    def recall(self, depth: int) -> float:
        return sum(rank is not None and rank < depth for rank in self.ranks) / len(self.ranks)

    @property
    def mean_reciprocal_rank(self) -> float:
        return sum(0 if rank is None else 1 / (rank + 1) for rank in self.ranks) / len(self.ranks)

    def row(self, *depths: int) -> str:
        return "  ".join(
            [*(f"{self.recall(depth):.3f}" for depth in depths), f"{self.mean_reciprocal_rank:.3f}"]
        )


def worth(scores: Scores, right: Sequence[frozenset[int]]) -> Worth:
    order = np.argsort(-scores, axis=1, kind="stable")
    return Worth(
        tuple(
            next((rank for rank, passage in enumerate(row) if int(passage) in wanted), None)
            for row, wanted in zip(order, right, strict=True)
        )
    )


def fused(*rankings: Scores, depth: int = 50) -> Scores:
    """Reciprocal rank fusion, k = 60; a score of 0 is no place in a ranking."""
    total = np.zeros_like(rankings[0])
    rows = np.arange(len(total))
    for scores in rankings:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        for place in range(order.shape[1]):
            column = order[:, place]
            total[rows, column] += (scores[rows, column] > 0) / (61 + place)
    return total


def area_under_curve(positive: NDArray[np.float32], negative: NDArray[np.float32]) -> float:
    """The chance that a positive scores above a negative (ROC)."""
    return float((positive[:, None] > negative[None, :]).mean())


def _words(text: str) -> list[str]:
    return [re.sub(r"(?<=\w{3})(?:ing|ed|es|s)$", "", word) for word in _WORD.findall(text.lower())]


def word_scores(passages: Sequence[str], questions: Sequence[str]) -> Scores:
    """BM25 (k1 1.2, b 0.75) over words with their commonest endings removed."""
    counts = [Counter(_words(passage)) for passage in passages]
    mean = sum(count.total() for count in counts) / len(counts)
    postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, count in enumerate(counts):
        length = 1.2 * (0.25 + 0.75 * count.total() / mean)
        for word, times in count.items():
            postings[word].append((number, times * 2.2 / (times + length)))
    scores = np.zeros((len(questions), len(passages)), dtype=np.float32)
    for row, question in enumerate(questions):
        for word in set(_words(question)):
            held = len(postings[word])
            rarity = math.log(1 + (len(passages) - held + 0.5) / (held + 0.5))
            for number, weight in postings[word]:
                scores[row, number] += rarity * weight
    return scores
