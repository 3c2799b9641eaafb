"""Which sentences of an answer claim something, and which say that the documents do not answer."""

from __future__ import annotations

import re

from shared.text.sentences import Kind, markers, sentences
from shared.text.terms import Terms, tokens

ABSTENTION = "The documents do not say."  # what the prompt asks for, word by word

_FEW_WORDS = 2  # content words a mere courtesy may have

_SOURCES = (
    r"(?:documents?|passages?|documentation|docs|sources?|excerpts?|context|material|texts?|information)"
)
_THE = r"(?:the|these|those|this|your|provided|given|supplied|available|retrieved|numbered)"
_WORKS = (
    rf"(?:{_SOURCES}|guides?|manual|book|article|authors?|page|section|chapter|tutorial|readme|report|paper)"
)
_NOT = r"(?:do not|does not|don['’]?t|doesn['’]?t|did not|didn['’]?t|cannot|can['’]?t|never)"
_SAYS = (
    r"(?:say|answer|mention|contain|provide|specify|state|cover|include|address|give|discuss|describe|explain|"
    r"indicate|have|tell|define|reveal|offer|list|show)"
)
_SAID = (
    r"(?:mentioned|specified|stated|covered|described|discussed|provided|found|answered|given|addressed|included|"
    r"contained|present|available|explained|defined|clear|known)"
)
_ABSTAINS = re.compile(
    rf"\b{_THE}(?: {_THE})* {_SOURCES}\b(?: \w+){{0,3}} {_NOT}(?: \w+){{0,2}} {_SAYS}\b"
    rf"|\b(?:none of (?:the|these)|no) (?:\w+ )?{_SOURCES} (?:\w+ )?{_SAYS}s?\b"
    r"|\b(?:no|not enough|insufficient|not any|n['’]t any) (?:\w+ )?"
    r"(?:information|mention|answer|details?|evidence)\b"
    rf"|\b(?:is|are|was|were) (?:not|never)(?: \w+)? {_SAID}\b[^.]*\b{_SOURCES}\b"
    rf"|\b(?:isn['’]?t|aren['’]?t)(?: \w+)? {_SAID}\b[^.]*\b{_SOURCES}\b"
    r"|\bi (?:do not|don['’]?t) (?:know|have)\b"
    r"|\bi (?:cannot|can['’]?t|could not|couldn['’]?t) (?:find|answer|tell)\b"
    r"|\b(?:i am|i['’]?m|we are) (?:unable|not able) to\b"
    r"|\b(?:cannot|can['’]?t|could not) be (?:answered|determined|found|inferred|established)\b",
    re.IGNORECASE,
)
_YET = re.compile(r"[,;:–—] *(?:however|although|though|except|only|instead)\b|\bbut\b", re.IGNORECASE)
_COURTESY = re.compile(
    r"(?:hi|hello|hey|sure|certainly|of course|absolutely|okay|ok|thanks?|great|good|you['’]re welcome|"
    r"sorry)\b",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"i hope\b|hope (?:this|that)\b|let me know\b|feel free\b|please (?:let me|feel|note)\b|i (?:can|could) "
    r"|if you (?:have|need|want|would like|['’]d like)\b.*\b(?:question|ask|help|know|more|detail)"
    r"|would you like\b",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"(?:here|below|based on|according to|in (?:summary|short|conclusion|brief)|to summari[sz]e|overall|"
    r"the following)\b",
    re.IGNORECASE,
)
_REPORTING = re.compile(
    r"\W*(?:(?:yes|no|sure)\b\s*[,.:–—]+\s*)?(?:"
    rf"(?:according to|based on|as (?:stated|described|noted|mentioned) (?:in|by))\W+(?:{_THE} )*"
    rf"{_WORKS}?(?: \d+)?\W*[,:]\s*(?:that\s+)?"
    rf"|(?:{_THE} (?:{_THE} )?{_WORKS}(?: \d+)? (?:also )?"
    r"(?:states?|says?|mentions?|notes?|explains?|describes?|specif(?:y|ies)|indicates?|shows?)"
    r"|(?:it|they|he|she) (?:also )?(?:states?|says?|mentions?|notes?))(?: that)?[,:]?\s+)?",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>")


def is_abstention(text: str) -> bool:
    """Whether an answer says only that the documents do not answer, in the fixed words or similar ones."""
    found = [claim_text(text[unit.body : unit.end]) for unit in sentences(text) if unit.kind != "blank"]
    abstains = [abstains_in(sentence) for sentence in found]
    return any(abstains) and all(
        abstained or not is_claim(sentence) for sentence, abstained in zip(found, abstains, strict=True)
    )


def abstains_in(sentence: str) -> bool:
    """Whether one sentence says that the documents do not answer, and nothing else."""
    return _ABSTAINS.search(sentence) is not None and not _YET.search(sentence)


def claim_text(sentence: str) -> str:
    """A sentence without markers, link targets, tags, and words that only name the source."""
    text = sentence
    for marker in reversed(markers(sentence)):
        text = f"{text[: marker.start]} {text[marker.end :]}"
    text = _TAG.sub(" ", _LINK.sub(r"\1", text)).strip()
    found = _REPORTING.match(text)
    return text[found.end() :] if found and found.end() < len(text) else text


def is_claim(text: str, kind: Kind = "text") -> bool:
    """Whether a sentence, given as `claim_text`, states something that could be right or wrong.

    Questions, courtesies, lines that lead in to a list without a number, and headings do not.
    """
    if kind in ("heading", "code", "blank"):
        return False
    terms = Terms(tokens(text))
    if not terms.content or text.rstrip('*_ )"”').endswith("?") or _CLOSING.match(text):
        return False
    if _COURTESY.match(text) and len(terms.content) <= _FEW_WORDS:
        return False
    leads_in = text.rstrip("*_ ").endswith(":") or (_LEAD_IN.match(text) and len(terms.content) <= _FEW_WORDS)
    return not (leads_in and not terms.numbers and kind == "text")
