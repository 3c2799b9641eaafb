"""Small words that turn what a sentence says: "at least", "only", "must", "if", "before", "says", …

A mark belongs to a class; words of one class say the same for our purpose, in whatever language. A claim and
the sentence it was taken from must agree in them, see `claim_alignment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.text.terms import Terms, Token, plain

_REACH = 3  # content words after a mark that it may speak of

_LISTS = {
    "all": "all, every, each, any, entire, whole, always, alle, allen, aller, jeder, jede, jedes, immer, "
    "tout, tous, "
    "toute, toutes, chaque, toujours, todo, toda, todos, todas, siempre, tutti, tutte, ogni, sempre",
    "most": "most, almost all, nearly all, almost every, fast alle, presque tous, presque toutes, casi "
    "todos, casi todas, mostly, most of, majority, usually, generally, typically, normally, meisten, "
    "meistens, plupart, "
    "mayoría",
    "many": "many, much, often, frequently, numerous, viele, oft, häufig, beaucoup, souvent, muchos, "
    "muchas, a menudo",
    "some": "some, certain, sometimes, occasionally, partly, partially, in part, manche, einige, manchmal, "
    "teilweise, certains, certaines, quelques, plusieurs, parfois, algunos, algunas, varios, varias, several",
    "few": "few, little, wenige, selten, peu, rarement, pocos, pocas, raras veces",
    "half": "half, a third, two thirds, a quarter, hälfte, moitié, mitad",
    "only": "only, solely, exclusively, merely, nur, ausschließlich, lediglich, seulement, uniquement, seul, "
    "seuls, seule, seules, ne que, solo, sólo, solamente, únicamente, soltanto, apenas, alleen, только, "
    "endast, kun",
    "just": "just",
    "even": "even, sogar, incluso",
    "low": "at least, no less than, not less than, no fewer than, minimum of, or more, mindestens, "
    "wenigstens, "
    "au moins, al menos, por lo menos, como mínimo, ≥",
    "high": "at most, up to, no more than, not more than, as many as, as much as, maximum of, or less, "
    "or fewer, "
    "höchstens, maximal, bis zu, au plus, como máximo, como mucho, ≤",
    "over": "more than, over, above, greater than, exceeds, exceeding, in excess of, über, mehr als, "
    "plus de, "
    "más de, >",
    "under": "less than, fewer than, under, below, unter, weniger als, moins de, menos de, <",
    "about": "about, around, approximately, roughly, nearly, almost, circa, some, ungefähr, etwa, "
    "beinahe, rund, "
    "environ, presque, casi, aproximadamente, alrededor de, close to, virtually, ≈",
    "exactly": "exactly, precisely, genau, exactement, exactamente",
    "must": "must, shall, has to, have to, had to, need to, needs to, required to, muss, müssen, doit, "
    "doivent, debe, "
    "deben, devono, deve",
    "should": "should, ought, recommended, sollte, sollten, devrait, devraient, debería, deberían",
    "can": "can, cannot, able to, capable of, kann, können, peut, peuvent, puede, pueden, possible to",
    "may": "may, might, could, perhaps, possibly, maybe, probably, likely, unlikely, allegedly, supposedly, "
    "reportedly, potentially, presumably, seems, seem, seemed, appears, appear, appeared, allowed to, "
    "permitted to, "
    "darf, dürfen, vielleicht, wahrscheinlich, möglicherweise, angeblich, peut-être, probablement, quizás, "
    "probablemente, tal vez",
    "would": "would, würde, würden, wäre, hätte, serait, aurait, sería, habría",
    "unreal": "plans, planned, plan to, tried, tries, try to, attempted, attempts, attempt to, hoped, "
    "hopes, wants, "
    "wanted, intends, intended, proposed, proposes, expects, expected, supposed, aims, aimed, promised, "
    "threatened, "
    "offered to, agreed to, refused, considered, hypothetical, fake, former, formerly, ex, so-called, "
    "versucht, "
    "versuchte, wollte, essaie, essayé, prévoit, intentó, planea",
    "if": "if, provided, whether, assuming, as long as, in case, on condition, even if, "
    "wenn, falls, sofern, solange, si, siempre que, если",
    "unless": "unless, except if, es sei denn, à moins, a menos",
    "when": "when, whenever, once, as soon as, while, sobald, während, quand, lorsque, "
    "cuando, mientras, quando",
    "until": "until, till, bis, jusqu, hasta que, hasta, tot, fino a",
    "except": "except, excluding, apart from, other than, besides, but not, with the exception, save for, "
    "aside from, außer, ausgenommen, sauf, excepté, hormis, excepto, salvo, menos",
    "without": "without, ohne, sans, sin, senza, sem, zonder, utan, uden, bez, без",
    "instead": "instead of, rather than, in place of, anstatt, statt, au lieu de, en lugar de, en vez de",
    "before": "before, prior to, ahead of, vor, bevor, avant, antes",
    "after": "after, following, nach, nachdem, après, después, tras",
    "during": "during, während, pendant, durant, durante",
    "because": "because, due to, since, owing to, weil, wegen, denn, parce que, porque, debido a",
    "although": "although, though, despite, in spite of, even though, regardless of, obwohl, trotz, bien "
    "que, "
    "malgré, aunque, a pesar de",
    "says": "says, say, said, claims, claim, claimed, argues, argue, argued, believes, believe, "
    "believed, thinks, "
    "thought, alleges, alleged, asserts, asserted, suggests, suggest, suggested, denies, reportedly, "
    "accused, rumoured, rumored, speculated, hypothesized, hypothesised, theorized, sagt, sagte, "
    "behauptet, glauben, affirme, prétend, dice, afirma, cree, creen",
    "whose view": "according to, in the view of, in the opinion of, in the eyes of, laut, zufolge, "
    "selon, según, secondo",
    "unlike": "unlike, in contrast to, as opposed to, contrary to, im gegensatz zu, anders als, "
    "contrairement à, "
    "a diferencia de",
    "like": "like, similar to, wie, ähnlich wie",
    "more": "more, mehr, más",
    "less": "less, fewer, weniger, moins, menos",
    "least": "least",
    "than": "than",
    "too": "too, zu viel, trop, demasiado",
    "enough": "enough, sufficiently, genug, assez, bastante",
    "other": "other, others, another, else, different, andere, anderer, anderes, anderen, autre, autres, "
    "otro, otra, "
    "otros, otras",
    "same": "same, identical, gleiche, gleichen, dieselbe, même, mismo, misma",
    "both": "both, beide, beiden, les deux, ambos, ambas",
    "either": "either, entweder",
    "still": "still, yet, again, already, noch, schon, encore, déjà, todavía, aún, ya",
    "own": "own",
    "my": "my, your, our, mein, dein, unser, mon, votre, notre, mi, tu, nuestro",
}


_LOOSELY = frozenset(
    (
        "if",
        "unless",
        "when",
        "because",
        "although",
        "before",
        "after",
        "during",
        "only",
        "says",
        "except",
        "instead",
        "without",
        "whose view",
    )
)
_SUBSTITUTES = {"may": ("can",), "can": ("may",)}


@dataclass(frozen=True, slots=True)
class Mark:
    """`tokens[start:end]` is a mark; `reach`: keys of the next content words of its clause."""

    kind: str
    start: int
    end: int
    reach: tuple[str, ...]
    before: str  # the key of the content word before it in its clause, "" for none


def _phrases() -> dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]:
    """By their first word: phrases, the longest first, with the classes each belongs to."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for kind, written in _LISTS.items():
        for phrase in written.split(", "):
            kinds.setdefault(tuple(plain(phrase).replace("-", " ").split()), []).append(kind)
    found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for words in sorted(kinds, key=len, reverse=True):
        found.setdefault(words[0], []).append((words, tuple(kinds[words])))
    return {first: tuple(phrases) for first, phrases in found.items()}


_PHRASES: Mapping[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = _phrases()


def marks(terms: Terms) -> tuple[Mark, ...]:
    """The marks of a text, in order; a word that may belong to several classes is a mark of each."""
    found: list[Mark] = []
    index = 0
    while index < len(terms.tokens):
        words, kinds = _phrase_at(terms.tokens, index)
        end = index + max(1, len(words))
        if kinds:
            reach = _reach(terms.tokens, end)
            if terms.tokens[end : end + 1] and terms.tokens[end].word == "of":  # "many of its members left"
                reach = reach[:1]
            found += [Mark(kind, index, end, reach, _before(terms.tokens, index)) for kind in kinds]
        index = end
    return tuple(found)


def _phrase_at(tokens: Sequence[Token], index: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if tokens[index].name:  # such as May, the month
        return (), ()
    for words, kinds in _PHRASES.get(tokens[index].word, ()):
        if all(
            token.word == word for token, word in zip(tokens[index : index + len(words)], words, strict=False)
        ) and index + len(words) <= len(tokens):
            return words, kinds
    return (), ()


def _reach(tokens: Sequence[Token], start: int) -> tuple[str, ...]:
    keys: list[str] = []
    for token in tokens[start:]:
        if token.kind == "border" or len(keys) == _REACH:
            break
        if token.counts:
            keys.append(token.key)
    return tuple(keys)


def _before(tokens: Sequence[Token], start: int) -> str:
    for token in reversed(tokens[:start]):
        if token.counts or token.kind == "border":
            return token.key if token.counts else ""
    return ""


def is_marker(word: str) -> bool:
    """Whether a word may be a mark, or begin one."""
    return word in _PHRASES


def same_kind(one: str, other: str) -> bool:
    return one == other or other in _SUBSTITUTES.get(one, ())


def agree(one: Mark, other: Mark) -> bool:
    """Whether two marks of a kind speak of the same, one perhaps put behind it."""
    if not one.reach or not other.reach:
        beside = one.before == other.before and bool(one.before or one.reach == other.reach)
        return beside or one.before in other.reach or other.before in one.reach
    if one.kind in _LOOSELY:
        return not set(one.reach).isdisjoint(other.reach)
    return one.reach[0] in other.reach[:2] or other.reach[0] in one.reach[:2]
