"""JSON answers, and the one place that turns errors into answers."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.errors import (
    ApiError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthenticated,
)
from shared.text.sse import encode_json
from shared.types import JsonObject

log = logging.getLogger("marginalia.http")

REQUEST_ID = "marginalia.request_id"  # the key in the ASGI scope
FRAMES_LOGGED = 6

# How much longer a body that is too large is read, so that its sender comes to read the answer.
LINGER_BYTES = 8 * 1024 * 1024
LINGER_SECONDS = 2.0


class AnswerAborted(Exception):
    """Leaves the app after the answer has begun: the server must break the connection off.

    It says nothing and has no cause, because servers log what leaves an app.
    """


def request_id(connection: HTTPConnection) -> str:
    """The id that stands in this request's answer, log lines and ledger rows."""
    return str(connection.scope[REQUEST_ID])


def json_answer(body: JsonObject, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer in UTF-8. Raises ValueError for NaN and infinities."""
    return Response(encode_json(body), status, headers, media_type="application/json")


def error_answer(error: ApiError, request_id: str, headers: Mapping[str, str]) -> Response:
    """OpenAI's error shape, with what its status calls for: Retry-After, WWW-Authenticate.

    `x-should-retry` is what OpenAI's and Anthropic's SDKs read before the status: an answer whose retries
    were made here already is not asked for again, so that retries do not multiply.
    """
    own = dict(headers)
    if error.retry_after is not None:
        own["retry-after"] = str(math.ceil(max(error.retry_after, 0.0)))
    elif error.spent:
        own["x-should-retry"] = "false"
    if isinstance(error, Unauthenticated):
        own["www-authenticate"] = "Bearer"
    if isinstance(error, TooLarge):
        return LastWord(encode_json(error.to_json(request_id)), error.status, own)
    return json_answer(error.to_json(request_id), status=error.status, headers=own)


def as_api_error(error: Exception, request_id: str) -> ApiError:
    """The error as a client may see it. What was not raised on purpose is logged and hidden.

    A group of errors, as a task group raises, stands for the first ApiError in it.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ExceptionGroup) and (found := _first_api_error(error)):
        return found
    if isinstance(error, HTTPException):
        return _from_starlette(error)
    log_unexpected(error, request_id)
    return InternalError("Something went wrong on the server; its log has the details under the request_id")


def _first_api_error(group: ExceptionGroup[Exception]) -> ApiError | None:
    expected, unexpected = group.split(ApiError)
    while expected is not None and unexpected is None:
        first = expected.exceptions[0]
        if isinstance(first, ApiError):
            return first
        expected = first if isinstance(first, ExceptionGroup) else None
    return None


def _from_starlette(error: HTTPException) -> ApiError:
    match error.status_code:
        case 404:
            return NotFound("There is no such endpoint")
        case 405:
            return MethodNotAllowed("The endpoint does not take this method")
        case 413:
            return TooLarge("The body is too large")
        case _:
            return InvalidRequest(error.detail)


def log_unexpected(error: BaseException, request_id: str) -> None:
    """One line: types and places, never the messages, as those can hold documents and keys."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_LOGGED:]
    places = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("unexpected %s request_id=%s at %s", _types(error), request_id, places)


def _types(error: BaseException) -> str:
    names = [type(error).__qualname__]
    while (cause := error.__cause__ or error.__context__) is not None and len(names) < FRAMES_LOGGED:
        names.append(type(cause).__qualname__)
        error = cause
    return " from ".join(names)


class LastWord(Response):
    """An answer to a request whose body is still coming, after which the connection closes.

    Closing at once would reset the connection under the sender, who could lose the answer: so the
    whole answer is sent, and what still comes is dropped, within bounds (RFC 9112, 9.6).
    """

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["http_version"].startswith("1"):
            self.raw_headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await self._drop(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drop(self, receive: Receive) -> None:
        dropped, more = 0, True
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while more and dropped < LINGER_BYTES:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    dropped += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            return
