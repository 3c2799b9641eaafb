"""`read_json`: a request's body, checked before anything else happens.

400 is for what is no such body (not JSON, wrong or unknown fields), 422 for a good body whose text
cannot be used. Every message names the field, what was found and what is allowed.
"""

from __future__ import annotations

import codecs
import difflib
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from shared.errors import InvalidRequest, TooLarge, Unprocessable, UnsupportedMediaType
from shared.types import Json, JsonObject

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_NESTING = 100
MAX_SHOWN = 60  # characters of a value that a message repeats

_SUSPECT_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")  # of a NUL or half a surrogate pair
_LARGE_NUMBER = re.compile(rb"[0-9](?:[eE]\+?[0-9]{3}|[0-9]{299})")  # the quick parser makes it infinite
_HALF_PAIR = re.compile("[\ud800-\udfff]")

Path = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


async def read_json(request: Request, model: type[M]) -> M:
    """The body as `model`, strictly: no unknown field, no "5" for 5.

    Raises UnsupportedMediaType, TooLarge over 2 MiB, InvalidRequest, Unprocessable for text that
    cannot be stored, ClientDisconnect when the client leaves before its body is whole.
    """
    body = await _read(request, MAX_BODY_BYTES)
    _check_json(body)
    try:
        return model.model_validate_json(body, strict=True, extra="forbid")
    except ValidationError as error:
        raise _explain(error, model) from None


async def read_object(request: Request, *, max_bytes: int) -> JsonObject:
    """The body as a JSON object that goes on to somebody else: it is not stored, and may hold anything.

    Raises as `read_json` does, but for its text.
    """
    body = await _read(request, max_bytes)
    top = _parse(body)
    if not isinstance(top, dict):
        raise InvalidRequest(f"The body should be a JSON object, found {shown(top)}")
    if body.count(b"[") + body.count(b"{") > MAX_NESTING and _depth(top) > MAX_NESTING:
        raise _too_deep()
    return top


# --- bytes ---------------------------------------------------------------------------------------


async def _read(request: Request, limit: int) -> bytes:
    """Without a byte order mark."""
    headers: dict[bytes, bytes] = dict(request.scope["headers"])
    if headers.get(b"content-type") != b"application/json" or b"content-encoding" in headers:
        _check_media_type(request)
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced[:20]) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
    return b"".join(chunks).removeprefix(codecs.BOM_UTF8)


def _check_media_type(request: Request) -> None:
    """JSON, or nothing said. Anything else, as curl's -d sends, is more likely a slip."""
    sent = request.headers.get("content-type", "application/json")
    name, *parameters = (part.strip().lower() for part in sent.split(";"))
    charset = next(
        (p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")), "utf-8"
    )
    known = name == "application/json" or (name.startswith("application/") and name.endswith("+json"))
    if not known or charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(
            f"content-type is {sent[:MAX_SHOWN]!r}; allowed is application/json in UTF-8"
        )
    if (coding := request.headers.get("content-encoding", "identity").lower()) != "identity":
        raise UnsupportedMediaType(f"content-encoding is {coding[:MAX_SHOWN]!r}; send the body as it is")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is over {limit} bytes ({limit >> 20} MiB)")


# --- JSON ----------------------------------------------------------------------------------------


def _check_json(body: bytes) -> None:
    """Refuses what is no JSON object, and text in it that cannot be stored or sent on."""
    top = _parse(body)
    if not isinstance(top, dict):
        raise InvalidRequest(f"The body should be a JSON object, found {shown(top)}")
    if _depth(top) > MAX_NESTING:
        raise _too_deep()
    if _SUSPECT_ESCAPE.search(body):  # UTF-8 and JSON themselves keep both out but for escapes
        _check_text(top)


def _parse(body: bytes) -> Json:
    if not body.strip():
        raise InvalidRequest("The body is empty; expected a JSON object")
    try:
        if not _LARGE_NUMBER.search(body):
            return from_json(body, allow_inf_nan=False)
    except ValueError:  # the standard parser takes some more, and says where it fails
        pass
    try:
        return _STRICT.decode(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"The body is not UTF-8: byte 0x{body[error.start]:02x} at offset {error.start}"
        ) from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"The body is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # an integer of more digits than Python converts
        raise InvalidRequest("The body holds a number that is too long") from None


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"The body is not JSON: {name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidRequest(f"The body holds a number out of range: {digits[:MAX_SHOWN]}")
    return number


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The body is nested over {MAX_NESTING} levels deep")


def _depth(top: Json) -> int:
    """Levels of objects and lists, counted no further than is refused."""
    depth, level = 0, [top]
    while depth <= MAX_NESTING and (level := [value for value in level if isinstance(value, (dict, list))]):
        depth += 1
        level = [child for value in level for child in (value.values() if isinstance(value, dict) else value)]
    return depth


def _check_text(top: Json) -> None:
    pending: list[tuple[Json, Path]] = [(top, ())]
    while pending:
        value, path = pending.pop()
        if isinstance(value, str):
            _refuse_flaw(value, path)
        elif isinstance(value, dict):
            for key in value:
                _refuse_flaw(key, path)
            pending.extend((child, (*path, key)) for key, child in value.items())
        elif isinstance(value, list):
            pending.extend((child, (*path, index)) for index, child in enumerate(value))


def _refuse_flaw(text: str, path: Path) -> None:
    if flaw := _flaw(text):
        name = field_path(path)
        raise Unprocessable(f"{name or 'The body'} holds {flaw}", param=name or None)


def _flaw(text: str) -> str | None:
    """Postgres stores no NUL, and UTF-8 has no halves of surrogate pairs."""
    if "\0" in text:
        return f"a NUL character (U+0000) at character {text.index(chr(0))}"
    if found := _HALF_PAIR.search(text):
        return f"half of a surrogate pair (U+{ord(found[0]):04X}) at character {found.start()}"
    return None


# --- the model's complaints ----------------------------------------------------------------------


def _explain(error: ValidationError, model: type[BaseModel]) -> InvalidRequest:
    """The first complaint as a sentence. Unknown fields go first: they explain missing ones."""
    details = error.errors(include_url=False)
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    first = details[0]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return InvalidRequest(_sentence(first, model) + more, param=field_path(first["loc"]) or None)


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    path = field_path(detail["loc"])
    said = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "missing":
            return f"{path} is required"
        case "extra_forbidden":
            return _unknown_field(detail["loc"], model)
        case "value_error" | "assertion_error":
            return f"{path}: {said}" if path else said
        case _ if said.startswith("Input "):
            return f"{path} {said.removeprefix('Input ')}, found {shown(detail['input'])}"
        case _:
            return f"{path}: {said[:1].lower()}{said[1:]}, found {shown(detail['input'])}"


def _unknown_field(path: Path, model: type[BaseModel]) -> str:
    name = str(path[-1])
    allowed = _fields_at(model, path[:-1])
    near = difflib.get_close_matches(name, allowed, n=1)
    guess = f"; did you mean {near[0]}?" if near else "."
    return f"{field_path(path)[:MAX_SHOWN]} is not a known field{guess} Allowed are {', '.join(allowed)}"


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The names of the fields of the model that stands at `path` below `model`."""
    for step in path:
        if isinstance(step, str) and step in model.model_fields:
            model = next(_models_in(model.model_fields[step].annotation), model)
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def field_path(path: Sequence[str | int]) -> str:
    """As JavaScript writes it: history[2].content."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(parts).removeprefix(".")


def shown(value: Json) -> str:
    """What was found, short enough for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= MAX_SHOWN:
        return text
    return f"a string of {len(value)} characters" if isinstance(value, str) else "a very long number"
