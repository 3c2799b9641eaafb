"""Vectors without a model: words and pieces of words, hashed into columns.

Feature hashing (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206): each feature has a column and a
sign by its hash. It knows no meaning, only forms: `config`, `configure` and `configuration` are alike,
`car` and `automobile` are not. It needs no download and no key; docs/retrieval.md compares it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from shared.settings import VECTOR_DIMENSIONS

if TYPE_CHECKING:
    from numpy import float32, float64, intp
    from numpy.typing import NDArray

    _Columns: TypeAlias = tuple[NDArray[intp], NDArray[float64]]

_INLINE = 20_000  # characters that are embedded at once; for more, a thread
_KNOWN_WORDS = 20_000  # whose columns are kept, about 10 MB
_LONGEST_WORD = 64
_PIECES = (3, 4, 5)  # characters of a piece of a word
_SHORTEST_CUT = 3  # shorter words have no pieces

# Scripts that put no spaces between words: their words are pairs of characters.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_RUN = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|[^\W_{_UNSPACED}]+")
_STOP_WORDS_TEXT = """
a about an and are as at be been being but by can could did do does for from had has have how i if in into is
it its me my no nor not of on or our she should so such than that the their them then there these they this
those to was we were what when where which while who whom whose why will with would you your
"""
_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())


class BuiltinEmbedder:
    """An `Embedder` that asks nobody. The same text has the same vector on every machine."""

    # Vectors of two names are never compared: whatever changes a vector changes the name.
    model = "builtin/hashed-words-v1"

    def __init__(self) -> None:
        self._known: dict[str, _Columns] = {}

    async def embed(self, texts: Sequence[str], *, context: object = None) -> NDArray[float32]:
        """Shape (texts, 1536), each of length 1. Never fails."""
        at_once = sum(map(len, texts)) <= _INLINE and "numpy" in sys.modules
        return self._vectors(texts) if at_once else await asyncio.to_thread(self._vectors, texts)

    def similarity(self, one: str, other: str) -> float:
        """The cosine of two texts' vectors: 1 for the same words. At once, and without a request."""
        first, second = self._vectors([one, other])
        return float(first @ second)

    def _vectors(self, texts: Sequence[str]) -> NDArray[float32]:
        import numpy as np

        vectors = np.zeros((len(texts), VECTOR_DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(text)
        return vectors

    def _vector(self, text: str) -> NDArray[float64]:
        """Each word counts by the square root of how often it stands there."""
        import numpy as np

        known = [(self._columns(word), count) for word, count in _content_words(text).items()]
        columns = np.concatenate([columns for (columns, _), _ in known])
        weights = np.concatenate([weights * count**0.5 for (_, weights), count in known])
        vector = np.zeros(VECTOR_DIMENSIONS)
        np.add.at(vector, columns, weights)
        length = float(np.sqrt(np.square(vector).sum()))
        if length == 0:  # features that cancel each other out: possible, if hardly
            vector[0] = length = 1.0
        return np.divide(vector, length)

    def _columns(self, word: str) -> _Columns:
        found = self._known.get(word)
        if found is None:
            if len(self._known) >= _KNOWN_WORDS:
                self._known.clear()
            found = self._known[word] = _hashed(word)
        return found


def _content_words(text: str) -> Counter[str]:
    """The words that say something, with their counts; never none."""
    words = Counter(_words(unicodedata.normalize("NFKC", text).casefold()))
    telling = Counter({word: count for word, count in words.items() if word not in _STOP_WORDS})
    return telling or words or Counter([text.strip()[:_LONGEST_WORD]])


def _words(text: str) -> Iterator[str]:
    for run in _RUN.finditer(text):
        if run["unspaced"] and len(run[0]) > 1:
            yield from map("".join, zip(run[0], run[0][1:], strict=False))
        else:
            yield run[0][:_LONGEST_WORD]


def _hashed(word: str) -> _Columns:
    """The columns of a word and of its pieces. The pieces together weigh as much as the word."""
    import numpy as np

    marked = f"<{word}>"
    pieces = (
        [marked[at : at + size] for size in _PIECES for at in range(len(marked) - size + 1)]
        if len(word) >= _SHORTEST_CUT
        else []
    )
    hashes = [_hash(f"w{word}"), *(_hash(f"p{piece}") for piece in pieces)]
    weights = [1.0, *(len(pieces) ** -0.5 for _ in pieces)]
    signed = [weight if hash_ & 1 else -weight for weight, hash_ in zip(weights, hashes, strict=True)]
    return np.array([(hash_ >> 1) % VECTOR_DIMENSIONS for hash_ in hashes]), np.array(signed)


def _hash(feature: str) -> int:
    digest = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
