"""A question as rules see it: the words to be met, their weights, and what speaks against a sentence."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from shared.text.offline.terms import terms, words

# Words that questions hold and answers often do not: "what is the name of …".
_GENERAL = frozenset(
    terms(
        "name type kind call called term thing person people way year time number amount first main part "
        "form example different new group two best possible common"
    )
)
_NAME = re.compile(r"(?<=\s)[A-Z][\w'’-]+|\b[0-9][0-9,.]*")
_NUMBER = re.compile(r"[0-9](?:[0-9,.]*[0-9])?")
_NEGATION = re.compile(
    r"n['’]t\b|\b(?:not|never|no|without|except|none|nor|fail\w*|lack\w*|refus\w*|prevent\w*|avoid\w*|stop\w*|"
    r"ban\w*|reject\w*|(?:un|in|im|dis|non)[a-z]{4,})",
    re.IGNORECASE,
)
_OPPOSITE_PAIRS = (
    "increase/decrease first/last before/after most/least more/less more/fewer high/low higher/lower "
    "highest/lowest north/south northern/southern east/west eastern/western large/small larger/smaller "
    "largest/smallest old/new oldest/newest older/newer early/late earlier/later major/minor "
    "maximum/minimum import/export internal/external win/lose begin/end began/ended start/end start/stop "
    "positive/negative male/female men/women rich/poor strong/weak good/bad better/worse best/worst "
    "left/right up/down above/below inside/outside same/different always/never allow/prohibit "
    "allow/forbid accept/reject enable/disable support/oppose gain/lose buy/sell easy/difficult "
    "simple/complex fast/slow long/short longest/shortest public/private legal/illegal "
    "possible/impossible include/exclude upper/lower young/old hot/cold light/dark light/heavy rise/fall "
    "grow/shrink create/destroy create/delete add/remove modern/ancient cause/prevent odd/even "
    "finite/infinite open/close read/write sync/async mutable/immutable safe/unsafe optional/required "
    "input/output"
)


def _opposites() -> Mapping[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for pair in _OPPOSITE_PAIRS.split(" "):
        one, other = pair.split("/")
        table.setdefault(one, set()).add(other)
        table.setdefault(other, set()).add(one)
    return {word: frozenset(others) for word, others in table.items()}


_OPPOSITES = _opposites()


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    weights: Mapping[str, float]  # of each term; a rare one weighs more, a name half as much again
    names: frozenset[str]
    numbers: tuple[str, ...]
    words: frozenset[str]
    total: float

    def coverage(self, *found: tuple[AbstractSet[str], float]) -> float:
        """The share, 0 to 1, of the question's weight that is met; each set of terms counts by its factor."""
        if not self.total:
            return 0.0
        met = sum(
            weight * max((factor for held, factor in found if term in held), default=0.0)
            for term, weight in self.weights.items()
        )
        return met / self.total

    def doubt(self, sentence: str, held: AbstractSet[str]) -> float:
        """What speaks against a sentence that shares many words: 0, or more for each kind of contradiction.

        Names and numbers of the question that neither it nor its headings (`held`) have, an opposite in the
        place of a word, a negation in the question alone.
        """
        if not self.total:
            return 0.0
        lowered = frozenset(words(sentence))
        missing = sum(self.weights.get(name, 0.0) for name in self.names if name not in held) / self.total
        number = any(number not in sentence for number in self.numbers)
        opposite = any(_OPPOSITES.get(word, frozenset()) & lowered for word in self.words - lowered)
        negated = bool(_NEGATION.search(self.text)) and not _NEGATION.search(sentence)
        return 0.5 * missing + 0.4 * number + 0.4 * opposite + 0.2 * negated


def read_question(text: str, sentences: Sequence[Iterable[str]]) -> Question:
    """Weighs the question's terms by how few of the sentences (given as terms) hold them."""
    frequency = Counter(term for sentence in sentences for term in set(sentence))
    asked = list(dict.fromkeys(terms(text)))
    names = frozenset(term for name in _NAME.findall(text) for term in terms(name))
    weights = {term: _weight(term, frequency[term], len(sentences), term in names) for term in asked}
    return Question(
        text,
        weights,
        names & weights.keys(),
        tuple(_NUMBER.findall(text)),
        frozenset(words(text)),
        sum(weights.values()),
    )


def _weight(term: str, held_by: int, sentences: int, is_name: bool) -> float:
    """Inverse document frequency as in BM25 (Robertson and Zaragoza 2009, 3.1), with a floor."""
    rarity = 0.3 + math.log(1 + (sentences - held_by + 0.5) / (held_by + 0.5))
    return rarity * (0.5 if term in _GENERAL else 1.0) * (1.5 if is_name else 1.0)
