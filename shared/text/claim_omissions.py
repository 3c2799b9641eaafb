"""What a claim leaves out of the sentences that it was taken from, and that turned what it kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from shared.text.claim_alignment import ARTICLES, BE, JOINTS, RESTRICTORS, Alignment, negations
from shared.text.claim_markers import Mark, agree, same_kind
from shared.text.terms import Terms, Token, word_set

_NO_SUPERLATIVES = word_set("forest interest request contest protest harvest digest manifest conquest")
_SUPERLATIVE_REACH = 5  # words behind a superlative in which may stand of what it is the best
_WITHIN = frozenset(("in", "of", "on", "among", "within"))
_ADVERBS = word_set("now then today again often soon later first currently")
_WHERE = frozenset(("in", "on", "for", "under", "within", "with", "among", "at", "bei", "für"))
_PAST = frozenset(
    ("was", "were", "had", "did", "became", "began", "took", "made", "led", "won", "wrote", "held")
)
_RANGES = frozenset(("to", "or", "and", "bis", "à", "a", "o", "ou", "oder", "–", "—", "und", "y", "et"))
_HALF_DENIALS = word_set(
    "hardly rarely seldom barely fail fails failed avoid avoids prevent prevents lack lacks"
)
_ALTERNATIVE_REACH = 8  # tokens behind a number in which another stands for another case
_NOUN_REACH = 3  # tokens from "change" to "configuration"
_TO_SAFELY = word_set("use serv order way abl")  # words before "to" that add nothing
# What must not be left out where one of the next words is kept, and how many these are.
_TELLING = {
    **dict.fromkeys(("low", "high", "over", "under", "about"), 1),
    **dict.fromkeys(
        ("some", "most", "many", "few", "half", "more", "less", "least", "than", "too", "enough", "other"), 2
    ),
    **dict.fromkeys(("must", "should", "can", "may", "would", "unreal", "says"), 3),
}
_GOVERNING = frozenset(
    ("if", "unless", "when", "except", "only", "instead", "without", "whose view")
)  # they turn the clause beside them


def leaves_out_marks(aligned: Alignment) -> bool:
    return any(
        _is_told_of_kept(aligned, mark)
        and not any(agree(mark, other) for other in aligned.here if same_kind(mark.kind, other.kind))
        for mark in aligned.there
        if mark.kind in _TELLING
    )


def _is_told_of_kept(aligned: Alignment, mark: Mark) -> bool:
    """Whether the claim has what the mark speaks of; a number that stands twice only with its unit."""
    reach = mark.reach[: _TELLING[mark.kind]]
    if len(reach) == 1 and sum(token.key == reach[0] for token in aligned.window.content) > 1:
        return set(mark.reach[:2]) <= aligned.claim.keys
    return aligned.keeps(reach)


def leaves_out_the_governing(aligned: Alignment) -> bool:
    """Whether a condition or exception is left out and what it governs is kept."""
    unmatched = [mark for mark in aligned.here if mark.kind in _GOVERNING]
    for mark in aligned.there:
        if mark.kind not in _GOVERNING:
            continue
        same = next((one for one in unmatched if one.kind == mark.kind and agree(one, mark)), None)
        if same is not None:
            unmatched.remove(same)
        elif not _is_a_noun_now(aligned.claim, mark) and aligned.keeps(
            _governed(aligned.window.tokens, mark)
        ):
            return True
    return False


def _is_a_noun_now(claim: Terms, mark: Mark) -> bool:
    """Whether "when the configuration changes" has become "a change of the configuration"."""
    places = [index for index, token in enumerate(claim.tokens) if token.key in mark.reach]
    return any(
        "of" in [token.word for token in claim.tokens[one + 1 : two]] and two - one <= _NOUN_REACH
        for one, two in pairwise(places)
    )


def _governed(tokens: Sequence[Token], mark: Mark) -> list[str]:
    """The content words of the clause that a condition is put to, but those that it has itself."""
    borders = [index for index, token in enumerate(tokens) if token.kind == "border"]
    start = max((index + 1 for index in borders if index < mark.start), default=0)
    ends = [*(index for index in borders if index >= mark.end), len(tokens), len(tokens)]
    if any(token.counts for token in tokens[start : mark.start]):
        part = [*tokens[start : mark.start], *(tokens[mark.end : ends[0]] if mark.kind == "only" else ())]
    elif start and tokens[start - 1].word in ",(–—" and mark.kind not in ("when", "without"):
        before = max((index + 1 for index in borders if index < start - 1), default=0)
        part = list(tokens[before:start])
    elif mark.kind == "only":
        part = list(tokens[mark.end : ends[0]])
    else:
        part = list(tokens[ends[0] : ends[1]])
    own = () if mark.kind == "only" else {token.key for token in tokens[mark.end : ends[0]]}
    return [token.key for token in part if token.counts and token.key not in own]


def leaves_out_denials(aligned: Alignment) -> bool:
    """Whether of several negations that speak of what is kept one is left out."""
    tokens, places = aligned.window.tokens, set(aligned.places)
    denied = (
        next(
            (at for at in range(index + 1, len(tokens)) if tokens[at].counts or tokens[at].kind == "border"),
            -2,
        )
        for index, token in enumerate(tokens)
        if token.kind == "negator"
    )
    kept = sum(at in places for at in denied)
    prefixed = aligned.claim.unprefixed & aligned.window.keys
    return negations(aligned.claim) + len(prefixed) < kept


def widens_the_subject(aligned: Alignment) -> bool:
    """Whether the subject loses what narrows it: "files over 5 MB", "paid accounts", "closures in Swift"."""
    content, places = aligned.claim.content, aligned.places
    if not content or places[0] < 0:
        return False
    subject = aligned.window.tokens[places[0]]
    if _loses_its_head(aligned, places) or (not subject.name and _loses_its_adjective(aligned, places[0])):
        return True
    cluster = _cluster(aligned.claim)
    return any(
        0 <= place < following
        and not aligned.window.tokens[place].name
        and _is_narrowing(aligned, place + 1, following)
        for place, following in pairwise(places[: cluster + 1])
    )


def widens_what_is_denied(aligned: Alignment) -> bool:
    """Whether a word is left out behind a "not" of its clause: "not recommended for children under 16"."""
    is_denied = False
    kept = False
    for token in aligned.window.tokens:
        if token.kind == "border" or token.word in JOINTS:
            is_denied = False
        elif token.kind == "negator" and token.word not in _HALF_DENIALS:
            is_denied, kept = aligned.claim.denies, False
        elif is_denied and token.counts:
            if kept and aligned.is_dropped(token):
                return True
            kept = kept or not aligned.is_dropped(token)
    return False


def leaves_out_where_it_holds(aligned: Alignment) -> bool:
    """Whether what holds "in Rust" or "on Sundays" is said to hold.

    What was done once, and what a thing is ("a town in Norway"), holds everywhere.
    """
    tokens = aligned.window.tokens
    return any(
        token.word in _WHERE
        and name is not None
        and name.name
        and aligned.is_dropped(name)
        and name.key not in aligned.context.keys
        and _is_said_of_now(aligned, index)
        for index, token in enumerate(tokens)
        if (name := next((one for one in tokens[index + 1 : index + 3] if one.counts), None))
    )


def _is_said_of_now(aligned: Alignment, index: int) -> bool:
    """Whether the clause before the index is in the present, kept, and does not say what something is."""
    tokens = aligned.window.tokens
    start = max((at + 1 for at in range(index) if tokens[at].kind == "border"), default=0)
    clause = tokens[start:index]
    if not clause or clause[-1].key not in aligned.claim.keys:
        return False
    is_past = any(token.word in _PAST or (token.word.endswith("ed") and token.counts) for token in clause)
    nouns = any(one.word in BE and other.word in ARTICLES for one, other in pairwise(clause))
    return not is_past and not nouns


def leaves_out_numbers(aligned: Alignment) -> bool:
    """Whether "four hours" becomes "hours", or "5 to 10" becomes "5"."""
    tokens = aligned.window.tokens
    counted = {other.key for one, other in pairwise(aligned.claim.tokens) if one.kind == "number"}
    for index, (one, other) in enumerate(pairwise(tokens)):
        if one.kind != "number":
            continue
        third = tokens[index + 2] if index + 2 < len(tokens) else None
        if other.word in _RANGES and third is not None and third.kind == "number":
            is_cut = aligned.is_dropped(one) != aligned.is_dropped(third)
        else:
            is_count = other.kind == "word" and not other.name and not _is_year(one)
            is_cut = is_count and aligned.is_dropped(one) and other.key in aligned.claim.keys - counted
        if is_cut:
            return True
    return False


def leaves_out_which_of_two(aligned: Alignment) -> bool:
    """Whether "at 18:00 in winter and at 20:00 in summer" becomes "at 18:00"."""
    tokens = aligned.window.tokens
    return any(
        one.kind == "number"
        and not aligned.is_dropped(one)
        and other.word in RESTRICTORS
        and _has_an_alternative(aligned, index + 2)
        for index, (one, other) in enumerate(pairwise(tokens))
    )


def _has_an_alternative(aligned: Alignment, start: int) -> bool:
    """Whether words are left out from there on, and a number behind the next "and" as well."""
    tokens = aligned.window.tokens[: start + _ALTERNATIVE_REACH]
    joint = next((index for index in range(start, len(tokens)) if tokens[index].word in JOINTS), len(tokens))
    return aligned.drops(start, joint) and any(
        token.kind == "number" and aligned.is_dropped(token) for token in tokens[joint:]
    )


def _is_year(token: Token) -> bool:
    return len(token.word) == len("2000") and token.word.isdigit()


def _loses_its_adjective(aligned: Alignment, place: int) -> bool:
    before = aligned.window.tokens[place - 1] if place else None
    return before is not None and before.kind == "word" and aligned.is_dropped(before) and not before.name


def _loses_its_head(aligned: Alignment, places: Sequence[int]) -> bool:
    """Whether the subject is there but a part of another noun: "cache" of "the cache entries expire"."""
    tokens = aligned.window.tokens
    after = tokens[places[0] + 1] if places[0] + 1 < len(tokens) else None
    if after is None or after.kind != "word" or not aligned.is_dropped(after) or after.word.endswith("ly"):
        return False
    if after.word in _ADVERBS:
        return False
    following = next((place for place in places[1:] if place >= 0), -1)
    if following < places[0]:
        return places[0] > 0 and tokens[places[0] - 1].word in RESTRICTORS
    if after.word not in aligned.claim.words and _begins_the_same(aligned, places[0] + 2):
        return False
    between = tokens[places[0] + 1 : following]
    return not any(token.kind == "border" or token.word in JOINTS for token in between)


def _begins_the_same(aligned: Alignment, index: int) -> bool:
    """Whether the subject's "from the main branch" stood behind its verb."""
    cluster = aligned.claim.tokens
    place = next((at for at, token in enumerate(cluster) if token.counts), 0)
    return (
        index < len(aligned.window.tokens)
        and place + 1 < len(cluster)
        and cluster[place + 1].word == aligned.window.tokens[index].word in RESTRICTORS
    )


def _cluster(terms: Terms) -> int:
    """How many content words stand at the start in a row, without empty ones between them."""
    indexes = [index for index, token in enumerate(terms.tokens) if token.counts]
    gaps = (terms.tokens[one + 1 : two] for one, two in pairwise(indexes))
    return next(
        (
            number
            for number, gap in enumerate(gaps, 1)
            if not all(token.word in RESTRICTORS or token.word in ARTICLES for token in gap)
        ),
        len(indexes),
    )


def _is_narrowing(aligned: Alignment, start: int, end: int) -> bool:
    between = aligned.window.tokens[start:end]
    if not between or any(token.kind == "border" for token in between) or not aligned.drops(start, end):
        return False
    return between[0].word in RESTRICTORS or any(token.word == "than" for token in between[1:3])


def leaves_the_best_of_what(aligned: Alignment) -> bool:
    """Whether "the oldest town in the county" becomes the oldest town."""
    tokens = aligned.window.tokens
    for index, (article, best) in enumerate(pairwise(tokens)):
        if (
            best.key in aligned.claim.keys
            and article.word in ("the", "its", "their")
            and _is_superlative(best)
        ):
            rest = tokens[index + 2 : index + 2 + _SUPERLATIVE_REACH]
            border = next((at for at, token in enumerate(rest) if token.kind == "border"), len(rest))
            within = next((at for at, token in enumerate(rest[:border]) if token.word in _WITHIN), border)
            following = next((token for token in rest[within:border] if token.counts), None)
            if following is not None and following.key not in aligned.claim.keys:
                return True
    return False


def _is_superlative(token: Token) -> bool:
    return token.word in ("best", "worst") or (
        len(token.word) > 5 and token.word.endswith("est") and token.word not in _NO_SUPERLATIVES
    )


def leaves_out_a_frame(aligned: Alignment) -> bool:
    """Whether what is kept is what somebody says, wants or tries: "found that", "planned to"."""
    tokens = aligned.window.tokens
    for index, (word, link) in enumerate(pairwise(tokens)):
        if not aligned.is_dropped(word) or link.word not in ("that", "to", "dass", "daß", "que", "zu"):
            continue
        following = next(
            (token for token in tokens[index + 2 :] if token.counts or token.kind == "border"), None
        )
        if following is None or following.kind == "border" or following.key not in aligned.claim.keys:
            continue
        if word.key not in _TO_SAFELY and not _stands_before(link.word, following.key, aligned.claim):
            return True
    return False


def _stands_before(word: str, key: str, terms: Terms) -> bool:
    return any(
        one.word == word and key in [token.key for token in terms.tokens[index + 1 : index + 5]]
        for index, one in enumerate(terms.tokens)
    )
