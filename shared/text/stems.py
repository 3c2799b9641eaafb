"""The stems of English words, roughly, so that forms of a word agree."""

from __future__ import annotations

import re
from functools import lru_cache

_KNOWN_WORDS = 20_000  # whose stems are kept, about 5 MB
_CAMEL = re.compile(r"[a-z][A-Z]|_|\d")
_SUFFIX_LIST = (
    "ization isation ational fulness ousness iveness ations ation ition ments ment ness ities ity ings ing "
    "ically ical ally edly ies ied ers er ors or ions ion ives ive ably ibly able ible ful ous est ed ly "
    "es al ic s e y"
)
_SUFFIXES = tuple(_SUFFIX_LIST.split())
_INFLECTION_LIST = "s e y es ed ing ings ies ied er ers"  # they may leave three letters, the others four
_INFLECTIONS = frozenset(_INFLECTION_LIST.split())
# A verb in the present and its other forms, which no ending gives away.
_IRREGULAR_VERBS = """
use used using uses/run ran/write wrote written/keep kept/begin began begun/build built/buy bought
bring brought/catch caught/choose chose chosen/come came/deal dealt/draw drew drawn/drive drove driven
eat ate eaten/fall fell fallen/feed fed/feel felt/fight fought/find found/fly flew flown
forbid forbade forbidden/get got gotten/give gave given/go went gone/grow grew grown/hold held
know knew known/lay laid/lead led/leave left/lend lent/lose lost/make made/mean meant/meet met/pay paid
ride rode ridden/rise rose risen/say said/see saw seen/seek sought/sell sold/send sent/shoot shot
show shown/sing sang sung/sink sank sunk/sleep slept/speak spoke spoken/spend spent/stand stood
steal stole stolen/strike struck/swear swore sworn/sweep swept/swim swam/take took taken/teach taught
tell told/think thought/throw threw thrown/understand understood/wear wore worn/win won
withdraw withdrew withdrawn/become became/break broke broken/freeze froze frozen/hide hidden
overtake overtook/undergo underwent/bind bound
"""
_IRREGULAR = {
    form: forms.split()[0]
    for line in _IRREGULAR_VERBS.strip().split("\n")
    for forms in line.split("/")
    for form in forms.split()[1:]
}


@lru_cache(maxsize=_KNOWN_WORDS)
def stem(word: str) -> str:
    """A word without its English endings, roughly: compiles, compiled, compiler and compilation agree."""
    word = _IRREGULAR.get(word, word)
    if not word.isascii() or len(word) <= 3 or is_identifier(word):
        return word
    for _ in range(2):
        word = _without_suffix(word)
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeioslz":
        word = word[:-1]
    return word


def _without_suffix(word: str) -> str:
    if word.endswith("ss"):
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= (3 if suffix in _INFLECTIONS else 4):
            return word[: -len(suffix)]
    return word


def is_identifier(word: str) -> bool:
    """Whether it is written as names in code are: `maxSize`, `max_size`, `utf8`."""
    return _CAMEL.search(word) is not None
