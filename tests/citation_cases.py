"""Answers as models write them over passages; which citation of each is right is known by construction.

A right sentence is the passage's own, or states a question with its answer, as people labelled them for the
passage. A wrong one is a right one with one thing changed that makes it say something else, or stands for a
question that people found the passage does not answer, or names another passage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

PASSAGES = 6

_SENTENCE = re.compile(r"(?<=[a-z0-9)][.])\s+(?=[A-Z])")
# Two sentences in one, an open quotation, or Markdown that is more than words.
_NO_SENTENCE = re.compile(
    r"[.?!:][\"”’)]*\s+[A-Z0-9\"“*`_(]|\b(?:St|Mt|Dr)\.$|^[^\"]*\"[^\"]*$|\n\s*[\n*>#-]|\]\(|[<{|]|\\n"
)
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b")
_NO_NAMES = (
    "after",
    "among",
    "although",
    "despite",
    "however",
    "because",
    "before",
    "since",
    "while",
    "where",
)
_TWO_NAMES = re.compile(r"(?<=[a-z,] )\b([A-Z][a-z]{3,})\b([^A-Z]*?)\b([A-Z][a-z]{3,})\b")
_ACTS = re.compile(r"^ [a-z]+(?:ed|es) (?:[a-z]+ ){0,4}$")  # a verb between two names
_VERB = re.compile(r"\b(is|are|was|were|can|will|has|have|had|must)\b")
_NOT = re.compile(r"\b(?:not|never)\s+")
_DENIES = re.compile(r"\b(?:no|nor|none|neither|without|nothing|cannot|can['’]t|\w+n['’]t)\b")
_MAY = re.compile(r"\b(?:may|might|could|probably|possibly|perhaps) ([a-z]{4,})(?<!ed|en|ly) ")
_SOME = re.compile(r"\b([Ss]ome|[Mm]ost|[Mm]any|[Ss]everal)\b(?= [a-z]+s\b)")
_NOUN = re.compile(r"(?<=\bthe )(?!other|same|such|most|least)[a-z]{5,}\b")
_BE = "(?:is|are|was|were|has|had|can|will)"
_STATED = re.compile(
    rf"(?:Who|(?:What|Which) (?:[a-z]+ ){{0,2}}?(?={_BE} [a-z]+(?:ed|en|t) |[a-z]+ed ))"
    rf"\s*(?P<rest>(?:{_BE} (?!the\b|an?\b)[a-z]+|[a-z]+ed|wrote|won|led|took|gave|made) .+?)\?+$"
)
# Pairs of which one says something else than the other; written for these tests, not from the rules.
_TURNED = (
    "largest/smallest before/after modern/ancient majority/minority rich/poor northern/southern "
    "eastern/western increase/decrease increased/decreased higher/lower early/late earlier/later first/last "
    "more/less most/least old/new positive/negative public/private north/south east/west high/low "
    "large/small strong/weak major/minor began/ended began/stopped true/false inside/outside winter/summer "
    "mother/father million/billion hundred/thousand century/decade kilometres/miles days/years months/weeks"
)
_EMPTY = ("other", "same", "another", "this", "such", "any", "every", "most", "it", "its", "more")
_THE_NOUN = re.compile(r"(?<=\b[Tt]he )(?!other|same|such|most|least)[a-z]{5,}\b(?! of)")
_TWO_NOUNS = re.compile(r"\b([Tt]he )([a-z]{4,})( (?:[a-z]+ ){1,5}the )([a-z]{4,})\b")
_SYMMETRIC = re.compile(r"\b(?:and|or|is|are|was|were|be|as|between|with|of|that|which|who|like|equals?)\b")
_FROM_TO = re.compile(r"\bfrom ((?:the )?[\w’'-]+) to ((?:the )?[\w’'-]+)\b(?! to )")
_CONDITION = re.compile(r"(?<!,) (?:(?:only|but|even) )?(?:if|unless|except)\b[^,;]*$")
_ASKS = re.compile(
    r"\b(?:as|even|ask\w*|see|check\w*|determin\w*|know\w*|decid\w*|test\w*|tell\w*|what|wonder\w*)$"
)
_SAYS = re.compile(
    r"^(?!.*\b(?:not|n't)\b.*\bthat\b)[^,]{3,80}? (?:said|says|claims?|claimed|argues?|argued|"
    r"believed?|believes|suggests?|suggested|proposed|speculated|alleged|thought|asserted|hypothesi[sz]ed|predicted|"
    r"hoped) that (\w.+)$"
)
_VERSION = re.compile(
    r"\b((?:[Vv]ersion|[A-Z][a-z]{2,}) )(\d{1,2}\.[1-9]\d?)(?![\d.%]| (?:million|billion|percent|to|and))"
)
_LIMIT = re.compile(
    r"\b(at least|at most|up to|more than|less than|fewer than|over|under|about|around|approximately|nearly|"
    r"almost)"
    r" (?=\d)"
)
_OVER, _BELOW = (
    ("at least", "more than", "over"),
    ("at most", "up to", "less than", "fewer than", "under", "nearly", "almost"),
)
# Words of which one in the place of another says something else, whatever the sentence.
_REPLACED = {
    "a modal": "must/may should/must can/must will/might may/must might/will shall/may could/will",
    "a quantity": "some/most many/few most/all all/no few/many several/no both/neither each/no every/no "
    "always/never "
    "often/rarely usually/never sometimes/always",
    "a joint": "because/although if/unless unless/if without/with until/after during/before since/before "
    "when/until "
    "although/because despite/because",
    "a prefix": "able/unable likely/unlikely unlikely/likely known/unknown unknown/known common/uncommon "
    "possible/impossible impossible/possible stable/unstable safe/unsafe valid/invalid invalid/valid "
    "legal/illegal "
    "direct/indirect dependent/independent independent/dependent visible/invisible used/unused unused/used "
    "necessary/unnecessary available/unavailable similar/dissimilar regular/irregular complete/incomplete "
    "expected/unexpected mutable/immutable immutable/mutable reliable/unreliable changed/unchanged "
    "equal/unequal "
    "signed/unsigned unsigned/signed successful/unsuccessful related/unrelated connected/disconnected "
    "familiar/unfamiliar important/unimportant certain/uncertain usual/unusual unusual/usual active/inactive",
    "a unit": "MB/GB GB/MB KB/MB TB/GB ms/seconds seconds/minutes minutes/hours hours/days days/weeks "
    "weeks/months months/years years/months km/miles kilometres/metres kilometers/meters "
    "miles/kilometres metres/kilometres meters/kilometers feet/miles percent/people tons/pounds kg/g "
    "bytes/bits bits/bytes million/billion billion/million degrees/metres acres/hectares",
}
_OTHERS = {name: dict(pair.split("/") for pair in pairs.split()) for name, pairs in _REPLACED.items()}
_TURN = {
    one: other for pair in _TURNED.split() for one, other in (pair.split("/"), reversed(pair.split("/")))
}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A passage, and what people asked about it: (question, answer), and questions it does not answer."""

    article: str
    text: str
    answered: tuple[tuple[str, str], ...]
    unanswered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A model's reply over passages. `right`: the numbers of the passages that may be cited for it."""

    kind: str
    reply: str
    passages: tuple[Paragraph, ...]
    right: frozenset[int]

    @property
    def markers(self) -> list[int]:
        return [int(number) for number in re.findall(r"\[(\d+)\]", self.reply)]


def case(kind: str, paragraphs: Sequence[Paragraph], chance: Random) -> Case | None:
    """A case of a kind from a random paragraph; None where none can be made of it."""
    wanted = chance.choice(paragraphs)
    beside = [one for one in paragraphs if one.article == wanted.article and one is not wanted]
    if not beside:
        return None
    passages = chance.sample(beside, min(len(beside), PASSAGES - 1))
    number = chance.randrange(1, len(passages) + 2)
    passages.insert(number - 1, wanted)
    made = KINDS[kind](wanted, number, passages, paragraphs, chance)
    if made is None:
        return None
    reply, right = made
    return Case(kind, reply, tuple(passages), frozenset(right))


Made = tuple[str, Sequence[int]] | None
Maker = Callable[[Paragraph, int, Sequence[Paragraph], Sequence[Paragraph], Random], Made]


def sentences(text: str) -> list[str]:
    """The plain sentences of a paragraph: of some length, and with nothing left open."""
    found = [one.strip() for one in _SENTENCE.split(text)]
    return [
        one
        for one in found
        if 40 <= len(one) <= 300 and one[0].isupper() and one.endswith(".") and not _NO_SENTENCE.search(one)
    ]


def _sentence(paragraph: Paragraph, chance: Random) -> str | None:
    found = sentences(paragraph.text)
    return chance.choice(found) if found else None


def _cited(sentence: str, *numbers: int) -> str:
    return f"{sentence.rstrip('.?! ')} {''.join(f'[{number}]' for number in numbers)}."


def _other(sentence: str, passages: Sequence[Paragraph], chance: Random) -> int:
    """The number of a passage that does not hold the sentence; 0 where all do."""
    words = " ".join(sentence.split())
    without = [number for number, one in enumerate(passages, 1) if words not in " ".join(one.text.split())]
    return chance.choice(without) if without else 0


# --- right ----------------------------------------------------------------------------------------


def _own_words(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    sentence = _sentence(wanted, chance)
    return (_cited(sentence, number), [number]) if sentence else None


def _one_right_of_two(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    sentence = _sentence(wanted, chance)
    return (_cited(sentence, number, _other(sentence, passages, chance)), [number]) if sentence else None


def _quotation(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    sentence = _sentence(wanted, chance)
    if sentence is None or '"' in sentence or "“" in sentence or len(sentence.split()) < 9:
        return None
    words = sentence.rstrip(".").split()
    first = chance.randrange(len(words) - 7)
    return f"The text says “{' '.join(words[first : first + 8])}” [{number}].", [number]


def _question_answered(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    stated = [one for one in (_stated(*pair) for pair in wanted.answered) if one]
    return (_cited(chance.choice(stated), number), [number]) if stated else None


def _stated(question: str, answer: str) -> str | None:
    """“Who wrote Hamlet?” answered by “Shakespeare”: “Shakespeare wrote Hamlet”."""
    found = _STATED.fullmatch(question.strip())
    return f"{answer[0].upper()}{answer[1:]} {found['rest']}" if found and answer else None


# --- wrong ----------------------------------------------------------------------------------------


def _another_passage(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    sentence = _sentence(wanted, chance)
    return (_cited(sentence, _other(sentence, passages, chance)), []) if sentence else None


def _out_of_range(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    sentence = _sentence(wanted, chance)
    outside = chance.choice((0, len(passages) + 1, 99, 10**12))
    return (_cited(sentence, outside), []) if sentence else None


def _without_marker(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    sentence = _sentence(wanted, chance)
    return (sentence, []) if sentence else None


def _without_support(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], every: Sequence[Paragraph], chance: Random
) -> Made:
    """A true sentence that stands in another article."""
    foreign = chance.choice([one for one in every if one.article != wanted.article])
    sentence = _sentence(foreign, chance)
    return (_cited(sentence, number), []) if sentence else None


def _half_made_up(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    sentence = _sentence(wanted, chance)
    tail = chance.choice(
        (
            "and it was sold to a bank in 1999",
            "and critics call it a failure",
            "which cost 40 million dollars",
        )
    )
    return (f"{sentence.rstrip('.')}, {tail} [{number}].", []) if sentence else None


def _unanswerable(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    """A question that the passage does not answer, with an answer to another one of its questions."""
    pairs = [
        (question, answer)
        for question in wanted.unanswered
        for _, answer in wanted.answered
        if _names_something(answer) and _strange(question, answer) and _stated(question, answer)
    ]
    return (_cited(_stated(*chance.choice(pairs)) or "", number), []) if pairs else None


def _other_answer(
    wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
) -> Made:
    """A question of the passage with the answer to another one."""
    pairs = [
        (question, other)
        for question, answer in wanted.answered
        for _, other in wanted.answered
        if _names_something(other) and _strange(f"{answer} {question}", other) and _stated(question, other)
    ]
    return (_cited(_stated(*chance.choice(pairs)) or "", number), []) if pairs else None


def _names_something(answer: str) -> bool:
    """Whether it can be the subject of a sentence: a name, of few words."""
    return (
        re.fullmatch(r"(?:the |The )?[A-Z][\w.-]+(?: (?:of |the |de |von )*[A-Z][\w.-]+){0,3}", answer)
        is not None
    )


def _strange(one: str, other: str) -> bool:
    """Whether two texts share no word, whatever its ending."""
    starts = ({word[:4] for word in re.findall(r"\w+", text.lower())} for text in (one, other))
    return next(starts).isdisjoint(next(starts))


def _changed(change: Callable[[str, Paragraph, Random], str], *, cut: bool = False) -> Maker:
    """`cut`: what is left is wrong though it stands in the passage, with more around it."""

    def made(
        wanted: Paragraph, number: int, passages: Sequence[Paragraph], _: Sequence[Paragraph], chance: Random
    ) -> Made:
        sentence = _sentence(wanted, chance)
        changed = change(sentence, wanted, chance) if sentence else ""
        stands = not cut and any(changed.rstrip(".") in one.text for one in passages)
        if not sentence or changed == sentence or stands or _said_beside(changed, sentence, wanted):
            return None
        return _cited(changed, number), []

    return made


def _said_beside(changed: str, sentence: str, paragraph: Paragraph) -> bool:
    """Whether another sentence nearly says what this one was changed to, so that it may be true."""
    words = set(re.findall(r"\w+", changed.lower()))
    others = re.split(r"(?<=[.!?])\s+", paragraph.text.replace(sentence, " "))
    return any(len(words & set(re.findall(r"\w+", one.lower()))) >= 0.8 * len(words) for one in others)


def _another_number(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    found = (one for one in _NUMBER.findall(paragraph.text) if not one.startswith("0"))
    others = [one for one in found if one not in sentence] or ["1742"]
    return _NUMBER.sub(chance.choice(others), sentence, count=1)


def _another_name(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    names = _NAME.findall(sentence)
    found = (one for one in _NAME.findall(paragraph.text) if one.lower() not in _NO_NAMES)
    others = [one for one in found if one[:4] not in sentence]
    return (
        re.sub(rf"\b{chance.choice(names)}\b", chance.choice(others), sentence)
        if names and others
        else sentence
    )


def _another_noun(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    nouns = _NOUN.findall(sentence)
    others = [one for one in _NOUN.findall(paragraph.text) if one[:4] not in sentence]
    return (
        re.sub(rf"\b{chance.choice(nouns)}\b", chance.choice(others), sentence)
        if nouns and others
        else sentence
    )


def _denied(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    if _NOT.search(sentence):
        return _NOT.sub("", sentence, count=1)
    return sentence if _DENIES.search(sentence) else _VERB.sub(r"\1 not", sentence, count=1)


def _turned(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    words = [word for word in re.findall(r"\w+", sentence) if word in _TURN]
    if not words:
        return sentence
    word = chance.choice(words)
    return re.sub(rf"\b{word}\b", _TURN[word], sentence, count=1)


def _emptied(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    """A name or a noun gives way to a word that says nothing."""
    found = [*_NAME.finditer(sentence), *_THE_NOUN.finditer(sentence)]
    if not found:
        return sentence
    place = chance.choice(found)
    empty = chance.choice(_EMPTY)
    empty = empty.capitalize() if place[0][0].isupper() and chance.random() < 0.5 else empty
    return f"{sentence[: place.start()]}{empty}{sentence[place.end() :]}"


def _replaced(name: str) -> Callable[[str, Paragraph, Random], str]:
    others = _OTHERS[name]
    is_unit = name == "a unit"

    def change(sentence: str, paragraph: Paragraph, chance: Random) -> str:
        pattern = re.compile(rf"{r'(?<=[0-9] )' if is_unit else ''}\b(?:{'|'.join(others)})\b(?![-'’])")
        found = list(pattern.finditer(sentence))
        if not found:
            return sentence
        place = chance.choice(found)
        return f"{sentence[: place.start()]}{others[place[0]]}{sentence[place.end() :]}"

    return change


def _without_limit(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    """“At least 12” becomes “12”, or a limit on the other side."""
    found = _LIMIT.search(sentence)
    if found is None:
        return sentence
    others = _BELOW if found[1] in _OVER else _OVER
    limit = chance.choice(("", f"{chance.choice(others)} ", "exactly "))
    return f"{sentence[: found.start()]}{limit}{sentence[found.end() :]}"


def _only_added(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    return sentence if "only" in sentence else _VERB.sub(r"\1 only", sentence, count=1)


def _from_and_to(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    return _FROM_TO.sub(lambda found: f"from {found[2]} to {found[1]}", sentence, count=1)


def _nouns_swapped(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    found = _TWO_NOUNS.search(sentence)
    if found is None or found[2] == found[4] or _SYMMETRIC.search(found[3]):
        return sentence
    return f"{sentence[: found.start()]}{found[1]}{found[4]}{found[3]}{found[2]}{sentence[found.end() :]}"


def _version(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    """Version 1.2 becomes 1.20."""
    return _VERSION.sub(r"\g<1>\g<2>0", sentence, count=1)


def _half_of_another(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    """What one sentence speaks of, with what another says of another name."""
    verb = _VERB.search(sentence)
    if verb is None or not _is_named(sentence[: verb.start()]):
        return sentence
    for other in sentences(paragraph.text):
        second = _VERB.search(other)
        if second and second[1] == verb[1] and _is_named(subject := other[: second.start()]):
            starts = {word[:4] for word in re.findall(r"[A-Z]\w+", subject)}
            if starts.isdisjoint(word[:4] for word in re.findall(r"\w+", sentence)):
                return sentence[: verb.start()] + other[second.start() :]
    return sentence


def _is_named(subject: str) -> bool:
    """Whether it is a name with few words beside it, and no pronoun."""
    return re.fullmatch(r"(?:The |In \d{4},? )?(?:[A-Z][\w.-]+ (?:of |de |von )?){1,4}", subject) is not None


def _without_condition(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    found = _CONDITION.search(sentence.rstrip("."))
    if found is None or found.start() < 25 or _ASKS.search(sentence[: found.start()]):
        return sentence
    return f"{sentence[: found.start()]}."


def _without_speaker(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    found = _SAYS.match(sentence)
    return f"{found[1][0].upper()}{found[1][1:]}" if found else sentence


def _more_certain(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    return _MAY.sub(lambda found: f"{found[1]}s ", sentence, count=1)


def _all_of_them(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    return _SOME.sub(lambda found: "All" if found[1][0].isupper() else "all", sentence, count=1)


def _swapped(sentence: str, paragraph: Paragraph, chance: Random) -> str:
    """“Alice pays Bob”: “Bob pays Alice”. Where “and” stands between them, that would say the same."""
    found = _TWO_NAMES.search(sentence)
    if found is None or found[1] == found[3] or not _ACTS.search(found[2]):
        return sentence
    return f"{sentence[: found.start()]}{found[3]}{found[2]}{found[1]}{sentence[found.end() :]}"


LABELLED = ("another answer", "unanswerable")  # wrong as people say who read the passage
RIGHT = ("own words", "one right of two", "quotation", "question answered")
KINDS: Mapping[str, Maker] = {
    "own words": _own_words,
    "one right of two": _one_right_of_two,
    "quotation": _quotation,
    "question answered": _question_answered,
    "another passage": _another_passage,
    "out of range": _out_of_range,
    "without a marker": _without_marker,
    "true, unsupported": _without_support,
    "half made up": _half_made_up,
    "another number": _changed(_another_number),
    "another name": _changed(_another_name),
    "another noun": _changed(_another_noun),
    "denied": _changed(_denied),
    "turned round": _changed(_turned),
    "more certain": _changed(_more_certain),
    "all for some": _changed(_all_of_them),
    "roles swapped": _changed(_swapped),
    "nouns swapped": _changed(_nouns_swapped),
    "from and to swapped": _changed(_from_and_to),
    "emptied": _changed(_emptied),
    "another limit": _changed(_without_limit),
    "another version": _changed(_version),
    **{name.replace("a ", "another ", 1): _changed(_replaced(name)) for name in _OTHERS},
    "only": _changed(_only_added),
    "half of another": _changed(_half_of_another),
    "condition dropped": _changed(_without_condition, cut=True),
    "speaker dropped": _changed(_without_speaker, cut=True),
    "another answer": _other_answer,
    "unanswerable": _unanswerable,
}
