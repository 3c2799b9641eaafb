"""Questions that only the whole document answers: its summary, a count, a complete list.

Told by their form, in the languages named below. What only looks like one, "how many bytes is an IPv4
address?", is answered just as well from the whole; what is missed is answered from the best passages.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, TypeAlias

Scope: TypeAlias = Literal["summary", "count", "list"]

_QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^”]*”|\b\w+\(")  # words that are spoken of, not used
_HOW_TO = re.compile(r"\W*how (?:do|does|did|can|could|should|would|to|is|are|was)\b", re.IGNORECASE)

_TEXTS = r"(?:document|doc|text|file|article|page|report|note|guide|paper|chapter|book)s?"
_SUMMARY = (
    # English
    r"\bsummari[sz]e\b",
    r"\b(?:summary|overview|gist|synopsis|recap|outline|digest) (?:of|for)\b",
    r"\b(?:give|write|provide|make|show|want|need|get|create|have)\b.{0,30}"
    r"\b(?:summary|overview|gist|synopsis|recap|outline)\b",
    r"\btl;? ?dr\b",
    r"\bsum(?:med)? (?:it |this |that |them |all )?up\b",
    r"\b(?:main|key|central|most important|principal|major) "
    r"(?:points?|ideas?|findings?|takeaways?|topics?|themes?|arguments?|messages?|conclusions?)\b",
    rf"\bwhat(?:['’]s| is| are| was| were) (?:the|this|that|these|those|my|our|your|all)? ?(?:\w+ )?{_TEXTS} "
    r"(?:all )?about\b",
    r"\bwhat(?:['’]s| is| are) (?:this|that|it|these|they) (?:all )?about\b",
    rf"\bwhat (?:does|do) (?:the|this|these|my|our) {_TEXTS} (?:cover|contain|deal with|discuss|say)\W*$",
    # German, Dutch
    r"\bzusammenfass\w*|\bzusammengefasst\b|\bfass\w*\b.{1,200}?\bzusammen\b",
    r"\büberblick über\b|\bkurzfassung\b",
    r"\bworum (?:geht|handelt)\b|\bwovon handelt\b",
    r"\bsamenvat\w*|\bvat\b.{1,200}?\bsamen\b|\bwaar gaat .{1,200}? over\b",
    # French, Spanish, Italian, Portuguese
    r"\brésum\w+|\bsynthèse\b|\bde quoi (?:parle|traite|s['’]agit)\b|\bpoints? (?:clés?|principaux)\b",
    r"\bresumen\b|\bresumir\b|\bresum(?:e|a|ime) (?:el|la|los|las|este|esta|esto|o|os|as|estes?|estas?)\b",
    r"\bde qué (?:trata|habla)\b|\bpuntos (?:clave|principales)\b",
    r"\briassu(?:m|nt)\w+|\bsintesi\b|\bdi (?:che )?cosa (?:parla|tratta)\b",
    r"\bresumo\b|\bsobre o que (?:é|fala|trata)\b|\bpontos principais\b",
    # Polish, Russian, Chinese, Japanese, Korean
    r"\bstreszcz\w*|\bstreść\b|\bpodsumuj\w*",
    r"\bрезюмир\w*|\bрезюме\b|\bкратк\w+ (?:содержани|пересказ)\w*",
    r"\bо ч[её]м (?:этот|эта|это|документ|текст)\b",
    r"总结|總結|概括|概述|摘要|要約|まとめて|まとめ|概要|요약",
)
_COUNT = (
    r"\bhow many\b(?!-)",
    r"\b(?:total|overall) number of\b",
    r"^\W*count (?:the|all|every|each|how)\b",
    r"\bhow (?:often|frequently)\b.{1,200}?\b(?:mention|occur|appear|used?\b|named?\b)",
    r"\bwie ?viele\b|\bhoeveel\b",
    r"\bcombien (?:de|d['’]|y a)|\bcu[aá]nt[oa]s\b|\bquant[ei]\b|\bquant[oa]s\b",
    r"\bile (?:jest|razy|jest|ma)\b|\bсколько\b",
    r"有多少|多少个|多少個|几个|幾個|有几|いくつ|何[個件人回本枚]|몇 ?(?:개|명|가지|번)",
)
_LIST = (
    r"\blist (?:all|every|each|the|out|of all|me)\b|^\W*list\b",
    r"\b(?:name|enumerate|itemi[sz]e|find|show|give|tell|mention|identify|extract|collect)\b(?: me| us)? "
    r"(?:all|every|each)\b",
    r"\benumerate\b",
    r"\bwhat are (?:all|all of) ",
    r"\b(?:full|complete|exhaustive|entire) list\b|\bgive me a list\b",
    r"\b(?:all|every)\b(?: \w+){1,4} (?:mentioned|listed|named|described|defined|given)\b",
    rf"\b(?:whole|entire) {_TEXTS}\b|\bthroughout (?:the|this|these|all)\b",
    r"\banywhere in (?:the|this|these)\b",
    r"\bnenn\w* (?:mir |uns )?alle\b|\b(?:list|zähl)\w*\b.{1,200}?\bauf\b|\bwelche\b.{1,200}?\bgibt es\b",
    r"\b(?:noem|geef|som) (?:me |mij )?alle\b|\bsom\b.{1,200}?\bop\b",
    r"\b(?:liste|énum[eéè]r|cite|donne|nomme)\w*(?:[- ]moi)? (?:tou(?:te)?s|la liste)\b",
    r"\bquel(?:le)?s sont tou(?:te)?s\b",
    r"\b(?:lista|enumer|nombr|mencion|cit|list|dime|dame)\w* (?:a )?(?:todos|todas)\b",
    r"\belenca\w*\b|\b(?:nomina|quali sono) tutt[ie]\b",
    r"\bwymień\b|\bперечисл\w*|\bназов\w* вс[её]\b",
    r"列出|列举|列舉|所有的|一覧|列挙|すべて挙げ|全て挙げ|나열|모두 (?:알려|말해|나열)",
)


_SCOPES: tuple[tuple[Scope, tuple[str, ...]], ...] = (
    ("summary", _SUMMARY),
    ("count", _COUNT),
    ("list", _LIST),
)


def whole_scope(question: str) -> Scope | None:
    """What the question wants of the whole document; None for a question that a passage can answer."""
    used = _QUOTED.sub(" ", question)
    if _HOW_TO.match(used):  # "how do I list all branches?" asks for one command
        return None
    return next((scope for scope, forms in _SCOPES if _any_of(forms).search(used)), None)


@cache
def _any_of(forms: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(forms), re.IGNORECASE | re.DOTALL)
