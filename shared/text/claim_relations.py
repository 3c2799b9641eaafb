"""How the words of a claim hang together, beside the sentences that may support it.

All words of a claim can stand in a sentence that says something else: names that have changed places, words
picked from all over a long list, a clause put on at the end, "all" for "some", a "may" left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, takewhile

from shared.text.terms import LIGHT, OPPOSITES, STRONG_GROUPS, Terms, Token

CLAUSE_COVERAGE = 0.6  # share of content words of each clause of a claim
DENSITY = 0.3  # share of the content words between the first and the last found that are the claim's
NEARLY_THE_SAME = 0.8  # share of a sentence's content words that the claim has
_REACH = 2  # content words that a word such as "all" speaks of

_UNIVERSAL = STRONG_GROUPS[0]
_PREPOSITION_LIST = (
    "to from into by than before after over under in on at of for with against between during until since as "
    "about through without"
)
_DETERMINER_LIST = "the a an its their his her this that these those own"
_PREPOSITIONS = frozenset(_PREPOSITION_LIST.split())
_BESIDE_A_NAME = frozenset(_DETERMINER_LIST.split())
_LIST_WORDS = frozenset(("and", "or", ",", "&"))


def leaves_clause_open(claim: Terms, found: frozenset[str]) -> bool:
    """Whether some clause of the claim is not what the found words are about."""
    clauses = [clause.keys - LIGHT for clause in claim.clauses if clause.keys - LIGHT]
    return any(len(keys & found) < math.ceil(len(keys) * CLAUSE_COVERAGE) for keys in clauses)


def is_scattered(claim: Terms, window: Terms) -> bool:
    """Whether the claim's words stand far apart, among many others."""
    places = [(index, token.key) for index, token in enumerate(window.content) if token.key in claim.keys]
    wanted = {key for _, key in places}
    if len(wanted) < 2:
        return False
    return len(wanted) < DENSITY * _shortest_stretch(places, len(wanted))


def _shortest_stretch(places: Sequence[tuple[int, str]], different: int) -> int:
    """The length of the shortest stretch that has all the keys."""
    last: dict[str, int] = {}
    shortest = math.inf
    for index, key in places:
        last[key] = index
        if len(last) == different:
            shortest = min(shortest, index - min(last.values()) + 1)
    return int(shortest)


def generalises(claim: Terms, window: Terms) -> bool:
    """Whether the claim says "all" or "each" of something of which the window does not say it."""
    there = [set(keys) for keys in _spoken_of(window)]
    return any(not any(keys & other for other in there) for keys in map(set, _spoken_of(claim)))


def _spoken_of(terms: Terms) -> Iterator[list[str]]:
    for number, token in enumerate(terms.tokens):
        if token.word in _UNIVERSAL:
            following = (one.key for one in terms.tokens[number + 1 :] if one.counts)
            yield [key for key, _ in zip(following, range(_REACH), strict=False)]


def drops_hedge(claim: Terms, window: Terms) -> bool:
    """Whether the claim is sure of something that the window says may be."""
    if not (claim.keys & window.hedged) - claim.hedged:
        return False
    more_can = _count(claim, "can") - _count(window, "can")
    return _hedges(claim) + max(0, more_can) < _hedges(window)


def turns_a_word(claim: Terms, nearest: Terms) -> bool:
    """Whether a word of the sentence stands in the claim as its contrary, or a "not" or "may" is too many.

    The latter is asked where the claim is nearly the sentence itself.
    """
    here, there = (Counter(token.word for token in terms.tokens) for terms in (claim, nearest))
    if any(
        here[word] > there[word] and any(there[other] > here[other] for other in OPPOSITES[word])
        for word in here
        if word in OPPOSITES
    ):
        return True
    return _says_nearly_the_same(claim, nearest) and (
        _negations(claim) != _negations(nearest) or _hedges(claim) < _hedges(nearest)
    )


def _says_nearly_the_same(claim: Terms, nearest: Terms) -> bool:
    return len(claim.keys & nearest.keys) >= NEARLY_THE_SAME * len(nearest.keys)


def _negations(terms: Terms) -> int:
    return sum(token.kind == "negator" for token in terms.tokens)


def _hedges(terms: Terms) -> int:
    return sum(token.kind == "hedge" for token in terms.tokens)


def _count(terms: Terms, word: str) -> int:
    return sum(token.word == word for token in terms.tokens)


def swaps_names(claim: Terms, nearest: Terms) -> bool:
    """Whether two names have changed places, and not because the sentence was turned round.

    They may stand in another order where each has its preposition still, where the verb has changed its
    voice, and in a list.
    """
    if (claim.passive ^ nearest.passive) & claim.keys & nearest.keys:
        return False
    if _says_nearly_the_same(claim, nearest) and _names_in_other_order(claim, nearest):
        return True
    here, there = _names(claim, nearest), _names(nearest, claim)
    shared = [key for key in here if key in there]
    return any(
        there[first] > there[second]
        and not _keep_their_roles((first, second), (claim, here), (nearest, there))
        and not _is_list(nearest.tokens[there[second] + 1 : there[first]])
        for first, second in combinations(shared, 2)
    )


def takes_from_another(claim: Terms, nearest: Terms) -> bool:
    """Whether another name stands between the claim's subject, which is a name, and what it says of it."""
    names = claim.names | nearest.names
    subject = [token.key for token in takewhile(lambda token: token.key in names, claim.content)]
    said = next((token.key for token in claim.content[len(subject) :] if token.key in nearest.keys), None)
    found = nearest.content
    starts = [index for index, token in enumerate(found) if subject and token.key == subject[-1]]
    ends = [index for index, token in enumerate(found) if token.key == said]
    between = (found[min(start, end) + 1 : max(start, end)] for start in starts for end in ends)
    others = [any(token.name and token.key not in claim.keys for token in tokens) for tokens in between]
    return bool(others) and all(others)


def _names_in_other_order(claim: Terms, nearest: Terms) -> bool:
    """Whether the same names stand in both, one of them twice, and in another order."""
    names = claim.names | nearest.names
    here, there = ([token.key for token in terms.content if token.key in names] for terms in (claim, nearest))
    return here != there and sorted(here) == sorted(there) and len(set(here)) < len(here)


def _names(terms: Terms, other: Terms) -> dict[str, int]:
    """Where each name stands that is one in either text; those that stand twice tell nothing."""
    names = terms.names | other.names
    places: dict[str, list[int]] = {}
    for index, token in enumerate(terms.tokens):
        if token.key in names and token.counts:
            places.setdefault(token.key, []).append(index)
    return {key: indexes[0] for key, indexes in places.items() if len(indexes) == 1}


def _keep_their_roles(
    names: tuple[str, str], here: tuple[Terms, dict[str, int]], there: tuple[Terms, dict[str, int]]
) -> bool:
    roles = [(_role(here[0].tokens, here[1][name]), _role(there[0].tokens, there[1][name])) for name in names]
    return all(one == other for one, other in roles) and any(one for one, _ in roles)


def _role(tokens: Sequence[Token], index: int) -> str:
    """The preposition before a name, "" for none."""
    for token in reversed(tokens[:index]):
        if token.word in _PREPOSITIONS:
            return token.word
        if token.word not in _BESIDE_A_NAME and not token.name:
            return ""
    return ""


def _is_list(between: Sequence[Token]) -> bool:
    return bool(between) and all(
        token.word in _LIST_WORDS or token.word in _BESIDE_A_NAME or token.name for token in between
    )
