"""What a provider's error means: its status and body, in any provider's shape, as a ProviderError.

Shapes seen on the wire: OpenAI `{"error": {message, type, code}}`; Google a list of one such object
with `status`, a numeric code and `details`, which may name the reason and the time to wait; Cerebras,
Baseten and Mistral the flat `{message, type, code}`; Anthropic `{"type": "error", "error": {type}}`, or
code and type in exchanged places; Hugging Face `{"error": "text"}` and `{"detail": "text"}`; Cohere
`{error_type}`; a proxy's HTML page.

Decided by names and statuses. A message is read for one thing only, a context that is too long,
because several servers say it nowhere else. It goes no further, but for what a provider finds wrong
in a request: that is told to who wrote the request, and to nobody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.ai.rate_limits import until_reset
from shared.ai.retry import retry_after
from shared.errors import ProviderError
from shared.types import Json, JsonObject, Outcome

# Names that say more than the status they come with.
_TELLING_NAMES: Mapping[str, Outcome] = {
    "context_length_exceeded": Outcome.CONTEXT_LENGTH,
    "exceed_context_size_error": Outcome.CONTEXT_LENGTH,
    "too_many_tokens": Outcome.CONTEXT_LENGTH,
    "request_too_large": Outcome.CONTEXT_LENGTH,
    "content_filter": Outcome.CONTENT_FILTER,
    "content_policy_violation": Outcome.CONTENT_FILTER,
    "responsibleaipolicyviolation": Outcome.CONTENT_FILTER,
    "moderation_blocked": Outcome.CONTENT_FILTER,
    "data_inspection_failed": Outcome.CONTENT_FILTER,
    "prohibited_content": Outcome.CONTENT_FILTER,
    "safety": Outcome.CONTENT_FILTER,
    "model_not_found": Outcome.NOT_FOUND,
    "model_not_available": Outcome.NOT_FOUND,
    "model_decommissioned": Outcome.NOT_FOUND,
    "dedicated_endpoint_not_running": Outcome.NOT_FOUND,
    "invalid_model": Outcome.NOT_FOUND,
    "insufficient_quota": Outcome.RATE_LIMITED,
    "api_key_invalid": Outcome.AUTH_ERROR,
}

# Names that stand in for a status where none came: errors inside a stream that began with 200.
_NAMES: Mapping[str, Outcome] = {
    "rate_limit_error": Outcome.RATE_LIMITED,
    "rate_limit_exceeded": Outcome.RATE_LIMITED,
    "resource_exhausted": Outcome.RATE_LIMITED,
    "too_many_requests": Outcome.RATE_LIMITED,
    "credit_limit": Outcome.RATE_LIMITED,
    "authentication_error": Outcome.AUTH_ERROR,
    "invalid_api_key": Outcome.AUTH_ERROR,
    "wrong_api_key": Outcome.AUTH_ERROR,
    "unauthenticated": Outcome.AUTH_ERROR,
    "permission_error": Outcome.AUTH_ERROR,
    "permission_denied": Outcome.AUTH_ERROR,
    "billing_error": Outcome.AUTH_ERROR,
    "timeout_error": Outcome.TIMEOUT,
    "not_found_error": Outcome.NOT_FOUND,
    "not_found": Outcome.NOT_FOUND,
    "overloaded_error": Outcome.SERVER_ERROR,
    "api_error": Outcome.SERVER_ERROR,
    "server_error": Outcome.SERVER_ERROR,
    "internal_server_error": Outcome.SERVER_ERROR,
    "invalid_request_error": Outcome.BAD_REQUEST,
    "invalid_argument": Outcome.BAD_REQUEST,
}

_STATUSES: Mapping[int, Outcome] = {
    401: Outcome.AUTH_ERROR,
    402: Outcome.AUTH_ERROR,
    403: Outcome.AUTH_ERROR,
    404: Outcome.NOT_FOUND,
    408: Outcome.TIMEOUT,
    409: Outcome.SERVER_ERROR,
    410: Outcome.NOT_FOUND,
    413: Outcome.CONTEXT_LENGTH,
    425: Outcome.SERVER_ERROR,
    429: Outcome.RATE_LIMITED,
}

_CONTEXT_TOO_LONG = re.compile(
    r"max(imum)? context|context (length|window|size)|prompt (is )?too long|too many tokens"
    r"|exceeds the maximum number of tokens|max_new_tokens. must be",
    re.IGNORECASE,
)
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?s")
_LONGEST_MESSAGE = 1000
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class _Facts:
    names: tuple[str, ...] = ()  # code, status, type: the most telling first
    status: int | None = None  # an HTTP status that the body itself names
    message: str = ""
    param: str | None = None
    moderated: bool = False
    wait: float | None = None  # seconds


def from_response(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> ProviderError:
    """The failure that an answer with a status other than 200 means.

    `headers` with names in lower case; `now` is the wall clock, for a Retry-After that is a date.
    """
    facts = _read(_parsed(body))
    wait = retry_after(headers, now)
    if wait is None and status == 429:
        wait = facts.wait if facts.wait is not None else until_reset(headers, now)
    return _failure(facts, status, wait=wait)


def from_error(document: Json, *, status: int) -> ProviderError:
    """The failure that an error inside an answer of `status` (200, as a rule) means."""
    return _failure(_read(document), status, wait=None)


def carries_error(document: Json) -> bool:
    """Whether a parsed answer or stream event is an error instead."""
    if isinstance(document, list):
        return bool(document) and carries_error(document[0])
    if not isinstance(document, dict):
        return False
    if document.get("error") or "error" in (document.get("type"), document.get("object")):
        return True
    return "choices" not in document and isinstance(document.get("message"), str)


def _failure(facts: _Facts, status: int, *, wait: float | None) -> ProviderError:
    outcome = _outcome(facts, status)
    code = next((name for name in facts.names if _CODE.fullmatch(name)), None)
    wrong = outcome is Outcome.BAD_REQUEST
    return ProviderError(
        outcome,
        f"answered {status}",
        status=status,
        code=code,
        retry_after=wait,
        said=facts.message[:_LONGEST_MESSAGE] if wrong else "",
        param=facts.param if wrong else None,
    )


def _outcome(facts: _Facts, status: int) -> Outcome:
    names = [name.lower() for name in facts.names]
    if facts.moderated:
        return Outcome.CONTENT_FILTER
    if telling := next((_TELLING_NAMES[name] for name in names if name in _TELLING_NAMES), None):
        return telling
    outcome = _by_status(status) or _by_status(facts.status)
    if outcome is None:
        outcome = next((_NAMES[name] for name in names if name in _NAMES), Outcome.SERVER_ERROR)
    if outcome is Outcome.BAD_REQUEST and _CONTEXT_TOO_LONG.search(facts.message):
        return Outcome.CONTEXT_LENGTH
    return outcome


def _by_status(status: int | None) -> Outcome | None:
    if status is None or status < 300:
        return None
    if status < 400:
        return Outcome.PROTOCOL_ERROR  # a redirect is not followed: it would take the key elsewhere
    if status >= 500:
        return Outcome.SERVER_ERROR
    return _STATUSES.get(status, Outcome.BAD_REQUEST)


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _read(document: Json) -> _Facts:
    if isinstance(document, list):
        return _read(document[0]) if document else _Facts()
    if not isinstance(document, dict):
        return _Facts()
    error = document.get("error")
    if isinstance(error, str):
        return _Facts(message=error)
    source = error if isinstance(error, dict) else document
    message = next((m for m in (source.get("message"), source.get("detail")) if isinstance(m, str)), "")
    metadata = source.get("metadata")
    return _Facts(
        names=tuple(_names(source)),
        status=_status_inside(source),
        param=param if isinstance(param := source.get("param"), str) else None,
        message=message,
        moderated=isinstance(metadata, dict) and "flagged_input" in metadata,
        wait=next(_delays(source), None),
    )


def _names(source: Mapping[str, Json]) -> Iterator[str]:
    for detail in _details(source):
        if isinstance(reason := detail.get("reason"), str) and reason:
            yield reason
    for key in ("code", "status", "error_type", "type"):
        value = source.get(key)
        if isinstance(value, str) and value and not value.isdigit():
            yield value


def _details(source: Mapping[str, Json]) -> Iterator[JsonObject]:
    """Google's, https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto."""
    found = source.get("details")
    yield from (detail for detail in found if isinstance(detail, dict)) if isinstance(found, list) else ()


def _delays(source: Mapping[str, Json]) -> Iterator[float]:
    for detail in _details(source):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and _SECONDS.fullmatch(delay):
            yield float(delay[:-1])


def _status_inside(source: Mapping[str, Json]) -> int | None:
    for key in ("status_code", "code"):
        value = source.get(key)
        if isinstance(value, str) and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 300 <= value < 600:
            return value
    return None
