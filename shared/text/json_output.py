"""The one JSON object in a model's reply, or a sentence that says why there is none.

Tolerant of what stands around the object: a byte order mark, code fences, prose, a model's <think>
part. Strict about the object itself (RFC 8259): what is cut short, doubled or not a number is an error, and
a part of what was meant is never given for the whole.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NoReturn

from shared.types import Json, JsonObject

MAX_LENGTH = 2_000_000  # characters
MAX_DIGITS = 400  # of an integer
MAX_DEPTH = 64  # objects and arrays in one another

_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"\A```[\w-]*[ \t]*\r?\n(.*?)\r?\n?```\Z", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_OBJECT_START = re.compile(r"\{\s*[\"}]")
_ARRAY_START = re.compile(r"\[\s*(?:[\[{\"\-0-9\]]|true\b|false\b|null\b)")
_BRACE = re.compile(r"[{}]")

_NONE = "the reply holds no JSON object; answer with one JSON object and nothing else"
_SEVERAL = "the reply holds several different JSON objects; answer with exactly one"
_NOT_AN_OBJECT = "the reply is JSON but not an object; answer with one JSON object"
_TOO_DEEP = f"the JSON is nested deeper than {MAX_DEPTH} levels; answer with a flatter object"


def parse_json_object(text: str) -> JsonObject:
    """The object. Raises ValueError with a sentence for the model that is to mend its reply.

    The same object given twice counts once.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the reply is longer than {MAX_LENGTH} characters; answer more briefly")
    text = _THINKING.sub("", text.lstrip("\ufeff")).strip()
    if text[:7].lower() == "<think>":
        raise ValueError(_NONE)
    fenced = _FENCED.match(text)
    found = _whole(fenced[1].strip() if fenced else text)
    return _sound(found if found is not None else _among_prose(text))


def _whole(text: str) -> JsonObject | None:
    """The object that is the whole text; None where the text is not JSON as a whole."""
    try:
        value, end = _decode(text, 0)
    except json.JSONDecodeError:
        return None
    if text[end:].strip():
        return None
    if isinstance(value, dict):
        return value
    raise ValueError(_NOT_AN_OBJECT)


def _among_prose(text: str) -> JsonObject:
    objects = list(_objects(text))
    if not objects:
        raise ValueError(_NONE)
    if any(other != objects[0] for other in objects[1:]):
        raise ValueError(_SEVERAL)
    return objects[0]


def _objects(text: str) -> Iterator[JsonObject]:
    """Every outermost object in the text. Braces and brackets of the prose are passed over."""
    position = 0
    while opening := _OPENING.search(text, position):
        start = opening.start()
        if _OBJECT_START.match(text, start):
            value, position = _decoded(text, start)
            yield value
        elif _ARRAY_START.match(text, start):
            value, position = _decoded(text, start)
            if _holds_object(value):
                raise ValueError(_NOT_AN_OBJECT)
        elif opening[0] == "[":
            position = start + 1
        else:
            position = _end_of_prose_brace(text, start)


def _decoded(text: str, start: int) -> tuple[Json, int]:
    try:
        return _decode(text, start)
    except json.JSONDecodeError as error:
        raise ValueError(f"{_complaint(text, error)}; answer with one whole JSON object") from None


def _complaint(text: str, error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Unterminated string") or not text[error.pos :].strip():
        return "the JSON is cut short"
    return f"the JSON is not valid: {error.msg} at line {error.lineno}, column {error.colno}"


def _decode(text: str, start: int) -> tuple[Json, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _end_of_prose_brace(text: str, start: int) -> int:
    """Past the brace that closes this one. Raises ValueError where it may be broken JSON."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            if _OBJECT_START.search(text, start + 1, brace.end()):
                break
            return brace.end()
    raise ValueError("the JSON is not valid (a name in double quotes is expected after '{')")


def _holds_object(value: Json) -> bool:
    return any(isinstance(inner, dict) for inner, _ in _walk(value))


def _sound(found: JsonObject) -> JsonObject:
    """The object, if it can be handled and stored. Raises ValueError."""
    for value, depth in _walk(found):
        if depth > MAX_DEPTH and isinstance(value, dict | list):
            raise ValueError(_TOO_DEEP)
        texts = [*value, *value.values()] if isinstance(value, dict) else [value]
        if any(isinstance(text, str) and not _encodes(text) for text in texts):
            raise ValueError("a string of the JSON holds half of a surrogate pair; write the character out")
    return found


def _walk(value: Json) -> Iterator[tuple[Json, int]]:
    """Every value in it, itself included, with its depth from 1."""
    pending = [(value, 1)]
    while pending:
        value, depth = pending.pop()
        yield value, depth
        if isinstance(value, dict):
            pending.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            pending.extend((inner, depth + 1) for inner in value)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= MAX_DIGITS else _refuse(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant[:40]} is not a number that can be kept; use a smaller finite number or null")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_int=_integer, parse_constant=_refuse)
