"""How a claim joins the words it took: a verb's sides, halves of a sentence, numbers, "from" and "to"."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from shared.text.claim_alignment import ARTICLES, JOINTS, PREPOSITIONS, RESTRICTORS, Alignment, is_akin
from shared.text.terms import Terms, Token, word_set

_PLAIN = word_set("of in on at across among as within")
_ALIKE = {"into": "to", "onto": "to", "toward": "to", "towards": "to", "via": "through"}
_UNITS = word_set(
    "percent s ms m km cm mm kg g mg t kb mb gb tb pb kib mib gib bit byte mbit gbit hz khz mhz ghz h "
    "min w kw mw l ml "
    "million billion trillion thousand hundred dollar euro pound yen degre ° c f"
)


def joins_anew(aligned: Alignment) -> bool:
    """Whether two words that stand together in the claim belong to two halves of the window.

    "Rust compiles code and checks types" holds no "compiles types": a word is left out on either side.
    """
    for (one, place), (other, following) in pairwise(zip(aligned.claim.content, aligned.places, strict=True)):
        if place < 0 or following < 0 or _is_parted(aligned.claim, one, other):
            continue
        start, end = sorted((place, following))
        if following < place and _is_parallel(aligned, following, place):
            return True
        if following < place and _is_its_object(aligned, following):
            return True
        if _ends_an_aside(aligned, start, end) or _has_another_between(aligned, start + 1, end):
            return True
    return False


def _ends_an_aside(aligned: Alignment, start: int, end: int) -> bool:
    """Whether the first place is in an aside that ends before the other: "Ada, whom Ben met, left"."""
    tokens = aligned.window.tokens
    if not any(token.kind == "border" for token in tokens[start + 1 : end]):
        return False
    begin = max((index for index in range(start) if tokens[index].kind == "border"), default=-1)
    return begin >= 0 and tokens[begin + 1].word in ("which", "whom", "whose", "who", "where")


def _is_its_object(aligned: Alignment, place: int) -> bool:
    """Whether the word stands behind "which" as what does the deed: "the fire, which a pump caused"."""
    for token in reversed(aligned.window.tokens[max(0, place - 4) : place]):
        if token.word in ("which", "that", "whom", "who"):
            return True
        if token.counts or token.kind == "border":
            return False
    return False


def _has_another_between(aligned: Alignment, start: int, end: int) -> bool:
    """Whether words are left out before a joint and after it, where another thing is spoken of."""
    tokens = aligned.window.tokens
    joints = [
        index for index in range(start, end) if tokens[index].kind == "border" or tokens[index].word in JOINTS
    ]
    return any(
        aligned.drops(start, joint)
        and aligned.drops(joint + 1, following)
        and (
            following == end
            or tokens[joint + 1].word in ARTICLES
            or (
                (tokens[joint].word in ",;" or tokens[joint - 1].word == ",")
                and _begins_with_a_name(aligned, joint + 1, following)
            )
        )
        for joint, following in pairwise([*joints, end])
    )


def _begins_with_a_name(aligned: Alignment, start: int, end: int) -> bool:
    """Whether another name stands there, and behind no preposition."""
    for token in aligned.window.tokens[start:end]:
        if token.word in RESTRICTORS or token.word in PREPOSITIONS:
            return False
        if token.name and aligned.is_dropped(token):
            return True
    return False


def _is_parallel(aligned: Alignment, start: int, end: int) -> bool:
    """Whether two halves with a word in common meet between the places: "A seats 30 and B seats 45"."""
    tokens = aligned.window.tokens
    begin = max((index for index in range(start) if tokens[index].kind == "border"), default=0)
    finish = next((index for index in range(end, len(tokens)) if tokens[index].kind == "border"), len(tokens))
    joints = [
        index for index in range(start, end) if tokens[index].word in JOINTS or tokens[index].word == ";"
    ]
    return any(
        not {token.key for token in tokens[begin:joint] if token.counts}.isdisjoint(
            {token.key for token in tokens[joint:finish] if token.counts} & aligned.claim.keys
        )
        for joint in joints
    )


def _is_parted(terms: Terms, one: Token, other: Token) -> bool:
    between = terms.tokens[terms.tokens.index(one) + 1 : terms.tokens.index(other)]
    return any(token.kind == "border" or token.word in JOINTS for token in between)


def cuts_names(aligned: Alignment) -> bool:
    """Whether a name is left in its middle: "Elizabeth" for "Elizabeth Taylor"."""
    ends = [
        place
        for (token, after), place in zip(_with_next(aligned.claim), aligned.places, strict=True)
        if place >= 0 and token.kind == "word" and (after is None or not after.counts)
    ]
    tokens = (*aligned.window.tokens, Token("border", ".", ".", 0, 0))
    return any(tokens[place + 1].name and aligned.is_dropped(tokens[place + 1]) for place in ends)


def _with_next(terms: Terms) -> list[tuple[Token, Token | None]]:
    """Each content word with the token behind it."""
    pairs = zip(terms.tokens, (*terms.tokens[1:], None), strict=True)
    return [(token, after) for token, after in pairs if token.counts]


def moves_numbers(aligned: Alignment) -> bool:
    """Whether a number of the claim counts or dates something else than it does in the window."""
    here, there = _beside(aligned.claim), _beside(aligned.window)
    return any(
        number in there and not any(_fits(beside, other) for other in there[number])
        for number, besides in here.items()
        for beside in besides
    )


_Beside = tuple[str, str]  # the keys of the words that touch a number, "" for none


def _beside(terms: Terms) -> dict[str, list[_Beside]]:
    found: dict[str, list[_Beside]] = {}
    tokens = (None, *terms.tokens, None)
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token is not None and token.kind == "number":
            keys = [one.key if one is not None and one.counts else "" for one in (before, after)]
            found.setdefault(token.key, []).append((keys[0], keys[1]))
    return found


def _fits(here: _Beside, there: _Beside) -> bool:
    """Whether what follows is the same, or stood before; a unit must be there on both sides or none."""
    if here[1] in _UNITS or there[1] in _UNITS:
        return here[1] == there[1]
    if here[0] in _UNITS or there[0] in _UNITS:
        return here[0] == there[0]
    return not here[1] or not there[1] or here[1] in there or is_akin(here[1], there[1])


def turns_prepositions(aligned: Alignment) -> bool:
    """Whether a word stands behind "to" in the claim and behind "from" in the window, and the like."""
    here, there = (_prepositions(terms, PREPOSITIONS) for terms in (aligned.claim, aligned.window))
    if any(key in there and not words <= there[key] for key, words in here.items()):
        return True
    here, there = (
        _led(_prepositions(terms, PREPOSITIONS | _PLAIN)) for terms in (aligned.claim, aligned.window)
    )
    return any(_changes_hands(here[word], there[word], aligned) for word in here.keys() & there.keys())


def _changes_hands(here: set[str], there: set[str], aligned: Alignment) -> bool:
    """Whether a preposition leads to one word in the claim, to another in the window, and both have both."""
    return bool((here - there) & aligned.window.keys and (there - here) & aligned.claim.keys)


def _led(prepositions: dict[str, set[str]]) -> dict[str, set[str]]:
    """For each preposition the words behind it."""
    found: dict[str, set[str]] = {}
    for key, words in prepositions.items():
        for word in words:
            found.setdefault(word, set()).add(key)
    return found


def _prepositions(terms: Terms, wanted: frozenset[str]) -> dict[str, set[str]]:
    """For each word the prepositions it stands behind, with its noun: empty words, then words in a row."""
    found: dict[str, set[str]] = {}
    waiting, is_behind = "", False
    for token in terms.tokens:
        if token.word in wanted:
            waiting, is_behind = _ALIKE.get(token.word, token.word), False
        elif token.counts and waiting:
            found.setdefault(token.key, set()).add(waiting)
            is_behind = True
        elif token.kind == "border" or is_behind:
            waiting = ""
    return found


def turns_the_voice(aligned: Alignment) -> bool:
    """Whether "was taught by" has the two sides of "taught"."""
    claim, window = aligned.claim, aligned.window
    for verb in (claim.passive ^ window.passive) & claim.keys & window.keys:
        passive, active = (claim, window) if verb in claim.passive else (window, claim)
        if any(
            one == other for one in _sides(passive, verb, by=True) for other in _sides(active, verb, by=False)
        ):
            return True
    return False


def turns_round(aligned: Alignment) -> bool:
    """Whether three words in a row stand there the other way round only."""
    here, there = aligned.claim.triples, aligned.window.triples
    turned = aligned.claim.passive ^ aligned.window.passive
    return any(
        first != last
        and turned.isdisjoint((first, middle, last))
        and (last, middle, first, passive) in there
        and (first, middle, last, passive) not in there
        for first, middle, last, passive in here
    )


def _sides(terms: Terms, verb: str, *, by: bool) -> Iterator[tuple[int, str]]:
    """The content words before (0) and after (1) a verb; in the passive only where a "by" follows."""
    content = terms.content
    for index, token in enumerate(content):
        if token.key != verb:
            continue
        at = terms.tokens.index(token)
        if by and not any(one.word in ("by", "von", "par", "por") for one in terms.tokens[at + 1 : at + 3]):
            continue
        if index:
            yield 0, content[index - 1].key
        if index + 1 < len(content):
            yield 1, content[index + 1].key
