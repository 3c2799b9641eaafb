"""What a claim has that the sentences do not have: other words in their places, marks, pronouns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from difflib import SequenceMatcher

from shared.text.claim_alignment import ARTICLES, BE, PREPOSITIONS, Alignment, is_akin, keys_of, negations
from shared.text.claim_markers import Mark, agree, is_marker, same_kind
from shared.text.terms import Terms, Token, word_set

# Words that may stand for what was said before.
_PERSONAL = word_set("it they he she them him er sie es il elle ils elles él ella ellos ellas")
_PRONOUNS = _PERSONAL | word_set("this these those such")
# Empty words that say which, how many or whose: none may stand in the place of a word that says something.
_POINTING = _PRONOUNS | word_set(
    "that its his her their your my our we us you i other others another same own more most some any few "
    "such each "
    "every all both either many much one ones here there andere anderen alle jede jeder autre autres "
    "otro otra otros"
)
_ANYBODY = word_set("you we us i")
# Empty words that a claim may need where its sentence is built in another way.
_HARMLESS = (
    _ANYBODY
    | ARTICLES
    | BE
    | word_set(
        "of in on by to for at with from as and or that which who whose has have had do does did will s also"
    )
    | word_set("when where while because so then than if via per into through being having")
)
_WEAKENING = frozenset(("can",))
_ALL = word_set("all every each")
_QUANTITIES = _ALL | word_set("both no none neither either some most few many several")
_FEW = 2  # words of one place


def resolved(claim: Terms, window: Terms, subjects: frozenset[str]) -> Terms:
    """The claim with what its first pronoun stands for, where the window has that and not the pronoun."""
    if not claim.tokens or claim.tokens[0].word not in _PRONOUNS or claim.tokens[0].word in window.words:
        return claim
    meant = subjects - claim.keys
    start = next((index for index, token in enumerate(window.tokens) if token.key in meant), None)
    if start is None:
        return claim
    end = next(
        (index for index in range(start, len(window.tokens)) if window.tokens[index].key not in meant),
        len(window.tokens),
    )
    return Terms((*window.tokens[start:end], *claim.tokens[1:]))


def points_elsewhere(aligned: Alignment) -> bool:
    """Whether the claim begins with a pronoun that the window does not have."""
    first = next((token for token in aligned.claim.tokens if token.kind != "border"), None)
    return first is not None and first.word in _PRONOUNS and first.word not in aligned.window.words


def puts_in_marks(aligned: Alignment) -> bool:
    more = Counter(_counted(mark) for mark in aligned.here)
    more.subtract(_counted(mark) for mark in aligned.there)
    return any(count > 0 and kind not in _WEAKENING for kind, count in more.items()) or any(
        not any(agree(mark, other) for other in aligned.there if same_kind(mark.kind, other.kind))
        for mark in aligned.here
        if mark.kind not in _WEAKENING
    )


def _counted(mark: Mark) -> str:
    """What a mark is counted as: "can" may stand for "may"."""
    return "may" if mark.kind == "can" else mark.kind


def fills_places(aligned: Alignment) -> bool:
    """Whether another word, or an empty one, stands where the window has a word that says something.

    Another order of the words is none, where a verb has changed its voice.
    """
    here, there = _spoken(aligned.claim), _spoken(aligned.window)
    matcher = SequenceMatcher(
        None, [_compared(token) for token in here], [_compared(token) for token in there], autojunk=False
    )
    here_words, there_words = (
        Counter(token.word for token in terms.tokens) for terms in (aligned.claim, aligned.window)
    )
    empty = {token.word for token in here if token.kind == "function"} - _HARMLESS
    pointing = {word for word in empty if here_words[word] > there_words[word]}
    fewer = (Counter(keys_of(there)) - Counter(keys_of(here))).keys()
    turned = (aligned.claim.passive ^ aligned.window.passive) & aligned.claim.keys & aligned.window.keys
    return any(
        operation == "replace"
        and (
            (
                any(
                    here[index].word in pointing
                    and not _refers_back(here, index, there[other:other_end])
                    and any(_says_something(token, here[index], fewer) for token in there[other:other_end])
                    for index in range(start, end)
                )
            )
            or (not turned and _differ_in_content(here[start:end], there[other:other_end]))
        )
        for operation, start, end, other, other_end in matcher.get_opcodes()
    )


def _says_something(token: Token, instead: Token, fewer: Set[str]) -> bool:
    """Whether it is a content word that the claim has less often, or tells how many or how words join."""
    if token.counts:
        return token.key in fewer
    return token.word in PREPOSITIONS or (
        token.word in _QUANTITIES and not {token.word, instead.word} <= _ALL
    )


def repeats_itself(aligned: Alignment) -> bool:
    """Whether it is two claims in one: several of its words stand there more often than in the window."""
    more = Counter(_repeatable(aligned.claim)) - Counter(_repeatable(aligned.window, aligned.context))
    known = aligned.window.keys | aligned.window.words
    return sum(count for key, count in more.items() if key in known) > 1


def denies_more(aligned: Alignment) -> bool:
    """Whether the claim has more negations than the window, and is not "not mutable" of "immutable"."""
    more = negations(aligned.claim) > negations(aligned.window)
    return more and (aligned.window.unprefixed - aligned.window.keys).isdisjoint(aligned.claim.keys)


def _repeatable(*texts: Terms) -> list[str]:
    """The content words, negations and forms of "to be"."""
    tokens = (token for terms in texts for token in terms.tokens)
    return [token.key for token in tokens if token.counts or token.kind == "negator" or token.word in BE]


def _compared(token: Token) -> str:
    return token.word if len(token.word) == 1 else token.key


def _refers_back(here: Sequence[Token], index: int, there: Sequence[Token]) -> bool:
    """Whether a pronoun without an article or adjective stands for what the claim has named before."""
    before = here[index - 1] if index else None
    return (
        here[index].word in _PERSONAL
        and before is not None
        and not before.counts
        and before.word not in ARTICLES
        and set(keys_of(there)) <= set(keys_of(here[:index]))
    )


def _telling(tokens: Sequence[Token]) -> list[str]:
    """The content words, and the empty ones that turn what is said."""
    return [
        token.key
        for token in tokens
        if token.counts
        or (
            token.kind == "function"
            and token.word not in _ANYBODY
            and (token.word in _POINTING or is_marker(token.word))
        )
    ]


def _differ_in_content(here: Sequence[Token], there: Sequence[Token]) -> bool:
    """Whether a few words stand in the place of a few others, and are no forms of them."""
    one, other = _telling(here), _telling(there)
    return (
        bool(keys_of(here) or keys_of(there))
        and 0 < len(one) <= _FEW
        and 0 < len(other) <= _FEW
        and not any(first == second or is_akin(first, second) for first in one for second in other)
    )


def _spoken(terms: Terms) -> list[Token]:
    return [token for token in terms.tokens if token.kind != "border"]
