"""The words of a sentence as evidence: stems, numbers, names, what is negated and what is hedged.

Made to compare a sentence of an answer with a passage. English is known best (stems, negation, opposites);
other languages are compared by their words as written, those without spaces by pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias

from shared.text.stems import is_identifier
from shared.text.stems import stem as stem  # for who compares words

TokenKind: TypeAlias = Literal["word", "number", "function", "negator", "hedge", "border"]

_KNOWN_WORDS = 20_000  # whose bases are kept, about 5 MB
_SCOPE = 4  # content words a negation or a hedge reaches

_TOKEN = re.compile(
    r"(?P<wide>[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])"
    r"|(?P<number>\d{4}-\d\d-\d\d(?!\d)|\d{1,2}/\d{1,2}/\d{2,4}(?!\d)"
    r"|(?:(?<![^\s(=])[-−])?\d+(?:[.,:]\d+)*)|(?P<percent>[%％])"
    r"|(?P<currency>[$€£¥](?=\s?\d)|(?<=\d)\s?[€£¥])|(?P<sign>[<>≤≥](?==?\s?[-−$€£¥]?\d)|°)"
    r"|(?P<word>[^\W\d_](?:\w*[^\W_])?(?:['’][^\W\d_]+)*)|(?P<border>[,;:.!?()\n—–])"
)
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_UNIT_LETTERS = frozenset("smdtgkhlw")  # behind a number they are units, not the ends of words such as "it's"
_FRACTION_OF_ZEROS = re.compile(r"(\d+)\.0+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DIRECTIONS = ("to", "from", "into", "by", "than", "before", "after", "over", "under")
_CONJUNCTIONS = ("and", "but", "or", "while", "whereas")
_BE = ("is", "are", "was", "were", "be", "been", "being", "get", "gets", "got")
_NO_PARTICIPLE_AFTER = ("a", "an", "the", "its", "their", "his", "her")
_PARTICIPLE_ENDS = ("ed", "en", "wn", "pt", "lt", "nt", "id", "ld", "ut", "ound", "ought", "aught")
_REFERENCE_LIST = "it its they their them these this those such both he she his her here there then also"
_REFERENCES = tuple(_REFERENCE_LIST.split())
_ORDINAL = re.compile(r"(?:st|nd|rd|th)")

_FUNCTION_WORDS = """
a an the this that these those it its itself he him his she her they them their we us our you your i me my
one ones and or nor but if then than so as at by for from in into of off on onto out over to up with within
about after before between during through under per via upon toward towards against among across
is are was were be been being am do does did done doing have has had having will would shall should can
s t re ve ll d m who whom whose which what when where why how there here
because since until till while whereas although though despite unless whether due prior
also however therefore thus hence moreover furthermore additionally further instead rather too very quite just
even such other another same own more most some any each every all both either few many much only must
yes e g i etc always exactly whenever wherever whichever whatever whoever
"""
_NEGATORS = """
not no never without cannot neither nor none nothing nobody nowhere hardly rarely seldom barely unable
lack lacks lacked lacking fail fails failed except excluding avoid avoids avoided prevent prevents
prevented prohibit prohibits prohibited forbid forbids forbidden refuse refuses refused deny denies denied
false falsely untrue incorrect incorrectly wrong wrongly impossible myth misconception
nicht weder ni kein keine keinen keinem keiner keines ohne nie niemals pas jamais aucun aucune sans nunca
ningún ninguna ninguno jamás tampoco sin non né senza nessun nessuno nessuna não nem nenhum nenhuma sem
niet geen nooit zonder inte ingen inga aldrig utan ikke aldri ej nie bez не нет ни без никогда
"""
_HEDGES = "may might could perhaps possibly maybe probably allegedly supposedly reportedly"
_CONDITIONS = "if unless whether"
_SCOPE_BORDERS = """
but however although though because while whereas and when since at in on by during with for to from into
through via if unless
"""
_NUMBER_WORDS = (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
_NUMBER_VALUES = "0 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 30 40 50 60 70 80 90"
# Words of which a sentence may claim one where the passage says the other.
_OPPOSITES = """
increase/decrease increase/reduce rise/fall rose/fell grow/shrink before/after first/last first/second
second/third minimum/maximum min/max least/most enable/disable allow/forbid permit/prohibit true/false
more/less more/fewer higher/lower high/low large/small larger/smaller big/small greater/less greater/smaller
fast/slow faster/slower long/short longer/shorter early/late earlier/later above/below over/under
inside/outside start/end start/stop begin/end begin/finish open/close opened/closed left/right top/bottom
front/back north/south east/west northern/southern eastern/western public/private internal/external
client/server input/output read/write add/remove create/delete create/destroy insert/delete push/pop
send/receive sent/received upload/download import/export buy/sell bought/sold win/lose won/lost gain/lose
gained/lost male/female man/woman men/women husband/wife father/mother son/daughter brother/sister king/queen
hot/cold old/new older/newer strong/weak easy/hard simple/complex static/dynamic local/global local/remote
synchronous/asynchronous required/optional mandatory/optional visible/hidden positive/negative strict/loose
always/sometimes always/usually must/may must/should must/optional all/some all/most every/some day/night
parent/child upper/lower single/multiple cheap/expensive success/failure accept/reject include/exclude
encode/decode encrypt/decrypt compress/decompress attach/detach lock/unlock connect/disconnect
same/different ascending/descending horizontal/vertical manual/automatic
"""
# A claim with a word of such a group needs one of the same group in the passage.
_STRONG = (
    "all every each any entire whole always everything everyone",
    "only solely exclusively just",
    "exactly precisely",
)


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS = word_set(_FUNCTION_WORDS)
NEGATORS = word_set(_NEGATORS)
HEDGES = word_set(_HEDGES)
STRONG_GROUPS = tuple(word_set(group) for group in _STRONG)
CONDITIONS = word_set(_CONDITIONS)
_BORDER_WORDS = word_set(_SCOPE_BORDERS)
_NUMBERS = dict(zip(_NUMBER_WORDS.split(), _NUMBER_VALUES.split(), strict=True))


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or border of a clause at `text[start:end]`. `key` is what is compared.

    Function words, negators and hedges carry no content of their own; they change what is said.
    """

    kind: TokenKind
    word: str  # lower case
    key: str  # a stem, or a number's value
    start: int
    end: int
    name: bool = False  # a proper name, an acronym or an identifier

    @property
    def spoken(self) -> bool:
        """Whether it is a word of the text, and neither a border nor the `not` of "don't"."""
        return self.kind != "border" and self.end > self.start

    @property
    def written(self) -> str:
        """The word for comparing word by word; a number's value, however it is written."""
        return self.key if self.kind == "number" else self.word

    @property
    def counts(self) -> bool:
        return self.kind in ("word", "number")


def tokens(text: str, start: int = 0, end: int | None = None) -> tuple[Token, ...]:
    """The tokens of `text[start:end]`; their places are indexes of `text`."""
    end = len(text) if end is None else end
    found: list[Token] = []
    first = True
    for match in _TOKEN.finditer(text, start, end):
        token = _token(match, text, first=first)
        if token.word in _UNIT_LETTERS and found and found[-1].kind == "number":
            token = replace(token, kind="word")
        if token.word == "non" and text.startswith("-", token.end):  # a prefix, and no "not" as in Italian
            token = replace(token, kind="word")
        first = token.kind == "border" and token.word not in ",;" if token.kind == "border" else False
        found.append(token)
        if token.word.endswith(("n't", "n’t")):
            found.append(Token("negator", "not", "not", match.end(), match.end()))
    return tuple(found)


def _token(match: re.Match[str], text: str, *, first: bool) -> Token:
    kind, written = match.lastgroup, match.group()
    start, end = match.span()
    if kind == "border":
        return Token("border", written, written, start, end)
    if kind == "percent":
        return Token("word", "percent", "percent", start, end)
    if kind == "currency":
        name = _CURRENCIES[written.strip()]
        return Token("word", name, name, start, end)
    if kind == "sign":
        return Token("function", written, written, start, end)
    if kind == "number":
        return Token("number", written, number_value(written), start, end)
    if kind == "wide":
        pair = text[start : end + 1]
        return Token("word", written, pair if pair.isalnum() else written, start, end)
    return _word_token(written, start, end, first=first)


def _word_token(written: str, start: int, end: int, *, first: bool) -> Token:
    word = plain(written)
    base = word.split("'")[0]
    if word.endswith("n't"):
        return Token("function", word, word, start, end)
    if base in _NUMBERS:
        return Token("number", base, _NUMBERS[base], start, end)
    if base in NEGATORS:
        return Token("negator", base, stem(base), start, end)
    if base in HEDGES and not (base == "may" and written[0] == "M" and not first):
        return Token("hedge", base, base, start, end)
    if base in FUNCTION_WORDS or _ORDINAL.fullmatch(base):
        return Token("function", base, base, start, end)
    return Token("word", base, stem(base), start, end, name=_is_name(written, first=first))


def _is_name(written: str, *, first: bool) -> bool:
    if is_identifier(written) or (len(written) > 1 and written.isupper()):
        return True
    return not first and written[0].isupper()


def plain(word: str) -> str:
    """Lower case, compatibility forms and accents as NFKC has them, straight apostrophes."""
    return unicodedata.normalize("NFKC", word).casefold().replace("’", "'")


def number_value(written: str) -> str:
    """`1,000` and `1000`, `5.0` and `5`, `٣` and `3` are the same number.

    `1.20` and `1.2` are not: they may be versions.
    """
    digits = "".join(str(unicodedata.digit(character, character)) for character in written)
    sign, digits = ("-", digits[1:]) if digits[0] in "-−" else ("", digits)
    value = _THOUSANDS.sub("", digits)
    if whole := _FRACTION_OF_ZEROS.fullmatch(value):
        value = whole[1]
    return sign + (value.lstrip("0") or "0")


def _opposites() -> dict[str, frozenset[str]]:
    pairs: dict[str, set[str]] = {}
    for written in _OPPOSITES.split():
        one, other = written.split("/")
        for first, second in ((one, other), (stem(one), stem(other))):
            pairs.setdefault(first, set()).add(second)
            pairs.setdefault(second, set()).add(first)
    return {word: frozenset(others) for word, others in pairs.items()}


OPPOSITES: Mapping[str, frozenset[str]] = _opposites()
_NEGATING_PREFIXES = ("un", "in", "im", "non", "dis", "ir", "il", "a")


# Stems of content words that say so little that a claim may have them though no sentence does.
LIGHT = word_set("use call nam know locat happen occur situat bas mak find lie stand")


@lru_cache(maxsize=_KNOWN_WORDS)
def unprefixed(word: str) -> frozenset[str]:
    """The stems of what a word may be the negation of: `mutabl` of `immutable`."""
    rests = (word[len(prefix) :] for prefix in _NEGATING_PREFIXES if word.startswith(prefix))
    return frozenset(stem(rest) for rest in rests if len(rest) > 3)


@dataclass(frozen=True)
class Terms:
    """The tokens of a stretch of text, and what they say."""

    tokens: tuple[Token, ...]

    @cached_property
    def content(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.counts)

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(token.key for token in self.content)

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(token.key for token in self.tokens if token.kind == "number")

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word as written, function words too."""
        return frozenset(token.word for token in self.tokens if token.kind != "border")

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(token.key for token in self.tokens if token.name)

    @cached_property
    def negated(self) -> frozenset[str]:
        """Keys that stand in the reach of a negation."""
        return frozenset(token.key for token in self._reached("negator"))

    @cached_property
    def denied(self) -> frozenset[str]:
        """Keys of the first content words after a negation: what is denied."""
        keys: set[str] = set()
        waits = False
        for token in self.tokens:
            if token.kind == "negator":
                waits = True
            elif waits and token.counts:
                keys.add(token.key)
                waits = False
            elif token.kind == "border":
                waits = False
        return frozenset(keys)

    @cached_property
    def affirmed(self) -> frozenset[str]:
        reached = {id(token) for token in self._reached("negator")}
        return frozenset(token.key for token in self.content if id(token) not in reached)

    @cached_property
    def hedged(self) -> frozenset[str]:
        """Keys that stand only in the reach of a hedge."""
        reached = {id(token) for token in self._reached("hedge")}
        plain_keys = {token.key for token in self.content if id(token) not in reached}
        return frozenset(token.key for token in self.content if token.key not in plain_keys)

    @cached_property
    def unprefixed(self) -> frozenset[str]:
        """What its words may be the negations of: `mutabl` where it says "immutable"."""
        return frozenset[str]().union(*(unprefixed(token.word) for token in self.content))

    @cached_property
    def denies(self) -> bool:
        return any(token.kind == "negator" for token in self.tokens)

    @cached_property
    def hedges(self) -> bool:
        return any(token.kind == "hedge" or token.word == "can" for token in self.tokens)

    @cached_property
    def triples(self) -> frozenset[tuple[str, str, str, bool]]:
        """Keys of three content words in a row, and whether the middle one is a verb in the passive."""
        found = self.content
        return frozenset(
            (first.key, middle.key, last.key, middle.key in self.passive)
            for first, middle, last in zip(found, found[1:], found[2:], strict=False)
        )

    @cached_property
    def passive(self) -> frozenset[str]:
        """Keys of words that follow a form of "to be" and look like participles."""
        keys: set[str] = set()
        be = False
        for token in self.tokens:
            if be and token.kind == "word" and token.word.endswith(_PARTICIPLE_ENDS):
                keys.add(token.key)
            goes_on = token.kind in ("function", "negator") and token.word not in _NO_PARTICIPLE_AFTER
            be = token.word in _BE or (be and goes_on)
        return frozenset(keys)

    @cached_property
    def clauses(self) -> tuple[Terms, ...]:
        """Its clauses, parted by punctuation and conjunctions."""
        found: list[list[Token]] = [[]]
        for token in self.tokens:
            if token.kind == "border" or token.word in _CONJUNCTIONS:
                found.append([])
            else:
                found[-1].append(token)
        return tuple(Terms(tuple(clause)) for clause in found if clause)

    @property
    def refers_back(self) -> bool:
        """Whether it begins with a word that stands for something said before."""
        return bool(self.tokens) and self.tokens[0].word in _REFERENCES

    @cached_property
    def directions(self) -> Mapping[str, frozenset[str]]:
        """Which keys follow a preposition that tells roles apart: to, from, by, than, before, …"""
        found: dict[str, set[str]] = {}
        for token, following in zip(self.tokens, self._next_content(), strict=True):
            if token.word in _DIRECTIONS and following:
                found.setdefault(token.word, set()).add(following)
        return {word: frozenset(keys) for word, keys in found.items()}

    @property
    def leads_in(self) -> bool:
        """Whether it ends with a colon."""
        return bool(self.tokens) and self.tokens[-1].word == ":"

    def _next_content(self) -> list[str]:
        """For each token the key of the content word after it in its clause; "" for none."""
        following: list[str] = []
        key = ""
        for token in reversed(self.tokens):
            following.append(key)
            key = token.key if token.counts else "" if token.kind == "border" else key
        return following[::-1]

    def _reached(self, kind: TokenKind) -> Iterator[Token]:
        """The content words after a token of `kind`, up to the end of what it can speak about."""
        left = 0
        for token in self.tokens:
            if token.kind == kind:
                left = _SCOPE
            elif token.kind == "border" or (token.word in _BORDER_WORDS and left < _SCOPE):
                left = 0
            elif left and token.counts:
                left -= 1
                yield token
