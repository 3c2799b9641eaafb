"""What to search for when a question goes on from an earlier one.

By rules: a question that leans on what was said, by a pronoun, by its first words or by having nothing else
to look for, is searched with the words it leans on; any other by itself alone. The earlier conversation is
only ever a source of words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared.text.offline.terms import terms

MOST_WORDS = 12  # the database looks for no more, see `search_lexemes`
LEAST_ADDED = 4  # of the earlier words, however long the question is
_ANSWER_READ = 400  # characters of an earlier answer in which names are looked for
_QUESTION_READ = 2000
_TURNS_READ = 6  # questions
_SHORT = 2  # terms; a question with fewer cannot stand alone

_LEANING = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|themselves|this|these|those|he|him|his|she|her|hers|"
    r"ones|one(?=\W*$)|(?:the|this|which|last|first|second|third|other|next|new|old) one|"
    r"(?:is|was|has|have|need|get|use|make|see|write|create) one|same|former|latter|"
    r"(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )there|thereof|above|previous|another|others?|else|either|"
    r"neither|both|such|besides|instead|too|also|then|afterwards|that(?=\W*$)|"
    r"that (?:one|case|time|way|step|value|number|name)|"
    r"(?:does|is|was|do|did|can|could|will|would|has|about|of|for|with|to|by|in|after|before|from) that"
    r"(?! \w+ (?:is|are|was|were)\b)|"
    # German, Dutch
    r"sie|ihn|ihm|ihr|ihre[rnms]?|seine?[rnms]?|dies(?:e[rnms]?)?|davon|dazu|damit|darüber|dafür|dabei|dort|"
    r"deren|dessen|hij|zij|hun|haar|deze|daarvan|daarmee|daarvoor|ervan|"
    # French, Spanish, Italian, Portuguese
    r"il|elles?|ils|leurs?|cela|celui|celle|ceux|ça|él|ella|ellos|ellas|sus?|eso|esto|esos?|esas?|"
    r"lui|lei|loro|suo|sua|suoi|questo|questa|quello|quella|ele|ela|eles|elas|seus?|suas?|isso|isto|dele|dela"
    r")\b",
    re.IGNORECASE,
)
_GOING_ON = re.compile(
    r"\W*(?:and|but|or|so|then|what about|how about|what if|what else|who else|where else|anything else|"
    r"why not|why so|how so|how come|which ones?|whose|for example|such as|since when|until when|"
    r"tell me more|more about|explain|elaborate|go on|continue|"
    r"und|aber|oder|warum nicht|was ist mit|wie ist es|en|maar|hoe zit het|"
    r"et|mais|y|pero|qué tal|e|ma|mas|o que acontece)\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?<![.!?:]\s)(?<!\A)\b[A-Z][\w'’-]+|\b[\w-]*\d[\w.-]*|`[^`\n]{1,60}`|[“\"][^“”\"\n]{1,60}[”\"]"
)
_WORD = re.compile(r"[^\W_][\w'’-]*")
_MARKER = re.compile(r"\[\d+\]")


def leans(question: str) -> bool:
    """Whether the question means something else, or nothing, without what was said before it."""
    return bool(_GOING_ON.match(question) or _LEANING.search(question) or len(terms(question)) < _SHORT)


def search_query(question: str, history: Sequence[tuple[str, str]]) -> str:
    """The question, with the words it leans on in an earlier one. `history`: (role, text), oldest first."""
    if not history or not leans(question):
        return question
    own = set(terms(question))
    room = max(LEAST_ADDED, MOST_WORDS - len(own))
    added: dict[str, str] = {}
    for word in _earlier_words(history):
        found = terms(word)
        if found and not own.issuperset(found) and found[0] not in added and len(added) < room:
            added[found[0]] = word
    return "\n".join([question, " ".join(added.values())]) if added else question


def _earlier_words(history: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The names in the last answer, then the words of the questions back to one that stands alone."""
    answer = next((text for role, text in reversed(history) if role == "assistant"), "")
    questions = [text[:_QUESTION_READ] for role, text in history if role == "user"][-_TURNS_READ:]
    last = questions[-1] if questions else ""
    yield from _WORD.findall(last)
    if leans(last):
        for question in reversed(questions[:-1]):
            yield from _WORD.findall(question)
            if not leans(question):
                break
    for name in _NAME.findall(_MARKER.sub("", answer[:_ANSWER_READ])):
        yield from _WORD.findall(name)
