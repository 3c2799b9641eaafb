"""A claim beside the sentences it may be taken from, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.text.claim_markers import Mark, marks
from shared.text.terms import LIGHT, Terms, Token, unprefixed, word_set

_SHARED_START = 4  # letters
JOINTS = word_set("and or but nor while whereas und oder aber sondern et ou mais y o pero e ma &")
ARTICLES = word_set("a an the der die das ein eine le la les un une el los las una il")
RESTRICTORS = word_set(
    "in on of with without under over from for at by within among against between before after during "
    "above below who "
    "that which whose where than about near inside outside through via as mit ohne unter über von für "
    "bei die der das "
    "welche en de con sin bajo sobre para por que qui dans avec sous pour sur"
)
PREPOSITIONS = word_set(
    "to into onto from by against for with without above below before after until since through between "
    "out off up "
    "down toward towards via auf um von zu bis nach vor durch für gegen mit ohne à vers par pour contre "
    "avec sans "
    "avant después antes hacia desde hasta por para con sin contra"
)
BE = frozenset(("is", "are", "was", "were", "be", "been", "ist", "sind", "est", "sont", "es", "son"))


def stretch(claim: Terms, window: Terms) -> tuple[int, int]:
    """Where the clauses begin and end, as indexes of the text, that the claim's words stand in."""
    tokens = window.tokens
    places = [place for place in Alignment(claim, window, Terms(())).places if place >= 0]
    first, last = min(places, default=0), max(places, default=len(tokens) - 1)
    while first and tokens[first - 1].kind != "border":
        first -= 1
    while last + 1 < len(tokens) and tokens[last].kind != "border":
        last += 1
    return tokens[first].start, max(token.end for token in tokens[first : last + 1])


@dataclass(frozen=True)
class Alignment:
    """A claim beside the sentences it may be taken from."""

    claim: Terms
    window: Terms
    context: Terms

    @cached_property
    def strange(self) -> frozenset[str]:
        """The claim's content that the window has in no form."""
        missing = self.claim.keys - self.window.keys - self.context.keys - self.window.unprefixed
        there = self.window.keys - self.claim.keys
        return frozenset(
            token.key
            for index, token in enumerate(self.claim.content)
            if token.key in missing
            and (token.key not in LIGHT or self._has_another_word(index))
            and token.word not in self.window.words
            and unprefixed(token.word).isdisjoint(self.window.keys)
            and (
                token.name or token.kind == "number" or not any(is_akin(token.key, other) for other in there)
            )
        )

    def _has_another_word(self, index: int) -> bool:
        """Whether the window has another content word between those beside the claim's `content[index]`."""
        before, after = self.places[max(0, index - 1)], self.places[min(index + 1, len(self.places) - 1)]
        start, end = sorted((before, after))
        return start >= 0 and self.drops(start + 1, end)

    @cached_property
    def here(self) -> tuple[Mark, ...]:
        return marks(self.claim)

    @cached_property
    def there(self) -> tuple[Mark, ...]:
        return marks(self.window)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """For each content word of the claim the index of the window's token, -1 for none.

        Of several the one that stands before the next word as well, else the nearest.
        """
        found: list[int] = []
        content = self.claim.content
        last = -1
        for token, following in zip(content, [*content[1:], None], strict=True):
            indexes = self._indexes.get(token.key, ())
            nexts = self._indexes.get(following.key, ()) if following else ()
            close = {index - gap for index in nexts for gap in (1, 2, 3)}
            place = min(
                ((index not in close, _distance(last, index), index) for index in indexes), default=None
            )
            last = place[-1] if place else last
            found.append(place[-1] if place else -1)
        return tuple(found)

    @cached_property
    def _indexes(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, token in enumerate(self.window.tokens):
            if token.counts:
                found.setdefault(token.key, []).append(index)
        return found

    def is_dropped(self, token: Token) -> bool:
        return token.counts and token.key not in self.claim.keys

    def drops(self, start: int, end: int) -> bool:
        """Whether the claim leaves out a content word of `window.tokens[start:end]`."""
        return any(self.is_dropped(token) for token in self.window.tokens[start:end])

    def keeps(self, keys: Sequence[str]) -> bool:
        return not self.claim.keys.isdisjoint(keys)


def _distance(last: int, index: int) -> int:
    return index - last if index >= last else 2 * (last - index)


def is_akin(one: str, other: str) -> bool:
    """Whether two words are probably forms of one: analys(is) and analyz(e)."""
    shared = next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    return shared >= _SHARED_START and shared * 2 > max(len(one), len(other))


def negations(terms: Terms) -> int:
    return sum(token.kind == "negator" for token in terms.tokens)


def keys_of(tokens: Sequence[Token]) -> list[str]:
    return [token.key for token in tokens if token.counts]
