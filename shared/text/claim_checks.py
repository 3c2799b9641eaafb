"""The tests a claim must pass against sentences that may support it.

Words must be there: all of five or fewer content words, four fifths of more, by stems; words of the title and
the headings count for at most half. Every number, name and identifier, and the first content word (the
subject, mostly), must be among them. Nothing may contradict: a negation or hedge on one side only, a word of
opposite meaning, swapped roles ("A pays B"), numbers that belong to something else there, and a stronger
claim ("all", "only", "never") than the sentences make; see also `claim_relations`.

Then the claim is aligned with the sentences, word by word, and may put in (`claim_insertions`), leave out
(`claim_omissions`) and join anew (`claim_order`) only what changes nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

from shared.text.claim_alignment import Alignment, is_akin
from shared.text.claim_insertions import (
    denies_more,
    fills_places,
    points_elsewhere,
    puts_in_marks,
    repeats_itself,
    resolved,
)
from shared.text.claim_omissions import (
    leaves_out_a_frame,
    leaves_out_denials,
    leaves_out_marks,
    leaves_out_numbers,
    leaves_out_the_governing,
    leaves_out_where_it_holds,
    leaves_out_which_of_two,
    leaves_the_best_of_what,
    widens_the_subject,
    widens_what_is_denied,
)
from shared.text.claim_order import (
    cuts_names,
    joins_anew,
    moves_numbers,
    turns_prepositions,
    turns_round,
    turns_the_voice,
)
from shared.text.claim_relations import (
    drops_hedge,
    generalises,
    is_scattered,
    leaves_clause_open,
    swaps_names,
    takes_from_another,
    turns_a_word,
)
from shared.text.terms import LIGHT, OPPOSITES, STRONG_GROUPS, Terms, Token, tokens, unprefixed

COVERAGE = 0.8  # share of content words, for claims of more than `_ALL_OF`
QUOTED_WORDS = 3  # a quotation of so many words must stand in the passage as it is
_ALL_OF = 5  # content words; shorter claims need every one

_SUBJECT_WORDS = 2  # the first content words of a sentence, one of which names what it speaks of
_COORDINATION = re.compile(
    r";\s+|,\s+(?:and|but|while|whereas)\s+"
    r"|\s+and\s+(?=(?:it|they|he|she|is|are|was|were|has|have|had|can|must|will|does|do)\b)"
)
_QUOTATION = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|«([^»\n]+)»|„([^“”\n]+)[“”]")


@dataclass(frozen=True)
class Claim:
    """What a sentence, or a part of it, says. `listed`: it stands in a list or table, and may be one word."""

    text: str
    listed: bool = False
    subjects: frozenset[str] = frozenset()  # of which one must be there, though the text has none of them
    said_before: frozenset[str] = frozenset()  # the words before it, of which a pronoun may stand for one

    @cached_property
    def terms(self) -> Terms:
        return Terms(tokens(self.text))

    @cached_property
    def words(self) -> tuple[str, ...]:
        return _written(self.terms.tokens)

    @cached_property
    def quotations(self) -> tuple[tuple[str, ...], ...]:
        """The words of each quotation that is long enough to be one and no figure of speech."""
        quoted = ("".join(groups) for groups in _QUOTATION.findall(self.text))
        found = (_written(tokens(quotation)) for quotation in quoted)
        return tuple(words for words in found if len(words) >= QUOTED_WORDS)

    @cached_property
    def clauses(self) -> tuple[Claim, ...]:
        """Its main clauses, when it has several; the later ones speak of the subject of the first."""
        texts = _COORDINATION.split(self.text)
        first = Claim(texts[0], self.listed, said_before=self.said_before)
        subjects = frozenset(token.key for token in first.terms.content[:_SUBJECT_WORDS])
        rest = tuple(Claim(text, self.listed, subjects, first.terms.keys) for text in texts[1:])
        return (first, *rest) if rest and all(len(one.terms.keys) > 1 for one in (first, *rest)) else ()

    @property
    def referents(self) -> frozenset[str]:
        """The words that a pronoun at its start may stand for."""
        return self.subjects | self.said_before

    @cached_property
    def telling(self) -> frozenset[str]:
        """Its content words, without those that say hardly anything unless it has no other."""
        return (self.terms.keys - LIGHT) or self.terms.keys

    @property
    def needed(self) -> int:
        """How many different content words must be found."""
        count = len(self.telling)
        return count if count <= _ALL_OF else math.ceil(count * COVERAGE)

    def hits(self, terms: Terms) -> frozenset[str]:
        """Which content words stand there, themselves or as what they negate or are negated by."""
        there = terms.keys | terms.unprefixed
        return frozenset(
            token.key
            for token in self.terms.content
            if token.key in self.telling
            and (token.key in there or not unprefixed(token.word).isdisjoint(terms.keys))
        )

    @property
    def opening(self) -> str:
        """The first content word that tells: the subject, mostly."""
        return next(token.key for token in self.terms.content if token.key in self.telling)


def _written(found: Sequence[Token]) -> tuple[str, ...]:
    return tuple(token.written for token in found if token.spoken)


@dataclass(frozen=True)
class Window:
    """Sentences that may support a claim: `text[start:end]` of their passage. `context`: title, headings."""

    start: int
    end: int
    parts: tuple[Terms, ...]  # one a sentence
    context: Terms

    @cached_property
    def terms(self) -> Terms:
        return self.parts[0] if len(self.parts) == 1 else chained(self.parts)

    @cached_property
    def keys(self) -> frozenset[str]:
        return self.terms.keys | self.context.keys

    @cached_property
    def unprefixed(self) -> frozenset[str]:
        """What its words are the negations of: `mutabl` where it says "immutable"."""
        return frozenset[str]().union(*(part.unprefixed for part in self.parts))


def chained(parts: Sequence[Terms]) -> Terms:
    """Sentences one after the other, with a border after each."""
    border = Token("border", ".", ".", 0, 0)
    return Terms(tuple(chain.from_iterable((*part.tokens, border) for part in parts)))


# --- what must be there ---------------------------------------------------------------------------


def falls_short(claim: Claim, window: Window) -> bool:
    """Whether the window lacks words that the claim needs."""
    terms = claim.terms
    own = frozenset[str]().union(*(claim.hits(part) for part in window.parts))
    found = own | claim.hits(window.context)
    if len(found) < claim.needed or len(own) * 2 < claim.needed or (len(terms.keys) < 2 and not claim.listed):
        return True
    return (
        not terms.numbers <= window.terms.numbers | window.context.numbers
        or not terms.names <= window.keys
        or not {token.key for token in terms.content if len(token.word) == 1} <= window.keys
        or not _names_subject(claim, window, found)
        or _overstates(terms, window.terms)
        or leaves_clause_open(terms, found)
        or is_scattered(terms, window.terms)
    )


def _names_subject(claim: Claim, window: Window, found: frozenset[str]) -> bool:
    if claim.subjects:
        return not claim.subjects.isdisjoint(window.keys)
    return claim.listed or bool(claim.quotations) or claim.opening in found


def _overstates(claim: Terms, window: Terms) -> bool:
    strong = any(claim.words & group and not window.words & group for group in STRONG_GROUPS)
    return strong or generalises(claim, window)


# --- what may not be there ------------------------------------------------------------------------


def contradicts(claim: Claim, window: Window) -> bool:
    """Whether the window, which has the claim's words, says something else with them."""
    terms, other = claim.terms, window.terms
    return (
        _differs_in_negation(terms, window)
        or _says_the_opposite(terms, other)
        or drops_hedge(terms, other)
        or _swaps_roles(terms, other)
        or _swaps_numbers(terms, other)
        or _replaces(terms, window)
    )


_DEPARTURES: tuple[Callable[[Alignment], bool], ...] = (
    lambda aligned: bool(aligned.strange),
    points_elsewhere,
    puts_in_marks,
    leaves_out_marks,
    leaves_out_the_governing,
    leaves_out_numbers,
    leaves_out_which_of_two,
    fills_places,
    repeats_itself,
    denies_more,
    leaves_out_denials,
    widens_the_subject,
    widens_what_is_denied,
    leaves_out_where_it_holds,
    leaves_out_a_frame,
    leaves_the_best_of_what,
    joins_anew,
    cuts_names,
    moves_numbers,
    turns_prepositions,
    turns_the_voice,
    turns_round,
)


def departs(claim: Claim, window: Window) -> bool:
    """Whether the claim, which has its words from the window, puts in, leaves out or joins what it may not.

    This holds for words that stand there in a row as well: "the door opens" of "the door opens if it rings".
    """
    terms = resolved(claim.terms, window.terms, claim.referents)
    aligned = Alignment(terms, window.terms, window.context)
    return any(departure(aligned) for departure in _DEPARTURES)


def _differs_in_negation(claim: Terms, window: Window) -> bool:
    """Whether what one side denies the other affirms, or the claim denies and the window denies nothing.

    A word with a prefix that negates it, such as "immutable", denies the word without.
    """
    other = window.terms
    bases = {
        base: token.key in claim.negated
        for token in claim.content
        if token.key not in window.keys
        for base in unprefixed(token.word) & window.keys
    }
    turned = window.unprefixed & (claim.keys - window.keys)
    denied = claim.denied | {base for base, is_negated in bases.items() if not is_negated}
    affirmed = (claim.affirmed - claim.negated) | {base for base, is_negated in bases.items() if is_negated}
    nearest = max(other.clauses, key=lambda clause: _nearness(clause, claim), default=other)
    if any(_affirms(key, other, nearest) for key in denied - turned):
        return True
    if any(not _affirms(key, other, nearest) for key in (other.denied | turned) & affirmed):
        return True
    return claim.denies and not (other.denies or turned)


def _nearness(clause: Terms, claim: Terms) -> tuple[int, bool]:
    return len(clause.keys & claim.keys), claim.content[0].key in clause.keys


def _affirms(key: str, window: Terms, nearest: Terms) -> bool:
    """Whether a word stands without negation; where both are found, the nearest clause decides."""
    if key in window.negated and key in window.affirmed and key in nearest.keys:
        return key in nearest.affirmed
    return key in window.affirmed


def _says_the_opposite(claim: Terms, window: Terms) -> bool:
    here, there = claim.words | claim.keys, window.words | window.keys
    return any(
        word not in there and not OPPOSITES[word].isdisjoint(there) for word in here if word in OPPOSITES
    )


def _swaps_roles(claim: Terms, window: Terms) -> bool:
    if not claim.triples & window.triples:
        turned = {
            (last, middle, first, passive) for first, middle, last, passive in claim.triples if first != last
        }
        other_voice = {(first, middle, last, not passive) for first, middle, last, passive in claim.triples}
        same_voice = not (claim.passive ^ window.passive) & claim.keys & window.keys
        if window.triples & (turned if same_voice else other_voice):
            return True
    return any(
        _swaps_direction(claim, window, word) for word in claim.directions.keys() & window.directions.keys()
    )


def _swaps_direction(claim: Terms, window: Terms, word: str) -> bool:
    """Whether `word` leads to something else in the window, with both things on both sides."""
    here, there = claim.directions[word], window.directions[word]
    return bool((here - there) & window.keys) and bool((there - here) & claim.keys)


def _swaps_numbers(claim: Terms, window: Terms) -> bool:
    if len(window.numbers) < 2:
        return False
    counts = Counter(token.key for token in window.content)
    single = {token.key for token in window.content if token.kind == "word" and counts[token.key] == 1}
    shared = claim.numbers & window.numbers
    if any(_belongs_elsewhere(number, claim, window, single) for number in shared):
        return True
    here, there = _owners(claim, single), _owners(window, single)
    return any(
        here[one] and there[one] and here[one] == there[other] and here[other] == there[one] != here[one]
        for one in shared
        for other in shared
        if one != other
    )


def _belongs_elsewhere(number: str, claim: Terms, window: Terms, single: set[str]) -> bool:
    """Whether the claim has none of the telling words of any clause of the window with the number."""
    telling = [clause.keys & single for clause in window.clauses if number in clause.keys]
    return bool(telling) and all(words and words.isdisjoint(claim.keys) for words in telling)


def _owners(terms: Terms, single: set[str]) -> dict[str, str]:
    """For each number the telling word before it."""
    owners: dict[str, str] = {}
    owner = ""
    for token in terms.content:
        if token.kind == "number":
            owners.setdefault(token.key, owner)
        elif token.key in single:
            owner = token.key
    return owners


def _replaces(claim: Terms, window: Window) -> bool:
    """Whether the claim is a sentence of the window with something of another sentence put into it."""
    nearest = max(window.parts, key=lambda part: len(claim.keys & part.keys))
    if swaps_names(claim, nearest) or takes_from_another(claim, nearest) or turns_a_word(claim, nearest):
        return True
    strange = claim.keys - nearest.keys - window.context.keys
    left = nearest.keys - claim.keys
    if strange & claim.numbers and left & nearest.numbers:
        return True
    if strange & claim.names and left & nearest.names:
        return True
    return _fills_a_slot(claim, nearest)


def _fills_a_slot(claim: Terms, nearest: Terms) -> bool:
    """Whether between the same two words the sentence has another word, one that the claim leaves out.

    It may be a word of the same meaning. Words alone cannot tell.
    """
    left = Counter(token.key for token in nearest.content)
    left.subtract(token.key for token in claim.content)
    keys = [token.key for token in nearest.content]
    pairs = set(pairwise(keys))
    slots: dict[tuple[str, str], set[str]] = {}
    for before, middle, after in _slots(nearest):
        slots.setdefault((before, after), set()).add(middle)
    return any(
        middle not in there
        and not {(before, middle), (middle, after)} & pairs
        and any(left[other] > 0 and not is_akin(middle, other) for other in there)
        for before, middle, after in _slots(claim)
        if (there := slots.get((before, after)))
    )


def _slots(terms: Terms) -> Iterator[tuple[str, str, str]]:
    keys = [token.key for token in terms.content]
    return (
        (before, key, after) for before, key, after in zip(["", *keys], keys, [*keys[1:], ""], strict=False)
    )
