"""`create_app`: CORS, request ids, errors and the access log around Starlette's router."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import TypeAlias
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from shared.errors import MethodNotAllowed, NotFound
from shared.http.answers import REQUEST_ID, AnswerAborted, as_api_error, error_answer
from shared.services import telemetry_of
from shared.telemetry.current import CURRENT, CurrentRequest, TraceContext, parse_traceparent
from shared.telemetry.logs import log_request
from shared.types import random_id

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

CLIENT_CLOSED = 499  # nginx's status for a client that left before the answer; logged, never sent

# What supabase-js, the OpenAI SDKs and the AI SDK send; a preflight may name further ones.
ALLOWED_HEADERS = (
    "authorization, x-client-info, apikey, content-type, x-region, x-retry-count, traceparent, "
    "tracestate, baggage, last-event-id, x-request-id, idempotency-key"
)
ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
EVERY_ANSWER: Mapping[bytes, bytes] = {
    b"access-control-allow-origin": b"*",
    b"access-control-allow-methods": ALLOWED_METHODS.encode(),
    b"access-control-allow-headers": ALLOWED_HEADERS.encode(),
    b"access-control-expose-headers": (
        b"x-request-id, retry-after, x-should-retry, allow, x-vercel-ai-ui-message-stream, "
        b"x-marginalia-provider, x-marginalia-model"
    ),
    b"x-content-type-options": b"nosniff",
}
MAX_ASKED_HEADERS = 2_000  # characters of Access-Control-Request-Headers that are looked at

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}")


def create_app(
    routes: Sequence[BaseRoute],
    *,
    lifespan: Lifespan[Starlette] | None = None,
    new_request_id: Callable[[], str] = random_id,
    clock: Callable[[], float] = time.perf_counter,
) -> Starlette:
    """An ASGI app whose every answer has CORS headers and a request id, errors in our shape.

    Endpoints raise ApiErrors. Apps made here can be mounted in one another: the outermost one's
    edge serves. A path with a slash too many is unknown: a redirect would lose bodies and CORS.
    """
    return _App(routes, lifespan, lambda app: Edge(app, new_request_id=new_request_id, clock=clock))


class _App(Starlette):
    """Starlette with our edge in place of its two error middlewares."""

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        lifespan: Lifespan[Starlette] | None,
        edge: Callable[[ASGIApp], ASGIApp],
    ) -> None:
        super().__init__(routes=routes, lifespan=lifespan)
        self.router.redirect_slashes = False
        self._edge = edge

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = KnownPaths(self.router)
        for middleware in reversed(self.user_middleware):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return self._edge(app)


class KnownPaths:
    """Serves the paths that the routes name; Starlette's router, which tries them all, does the rest."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._routes: Mapping[tuple[str, str], Route] = {
            (route.path, method): route
            for route in reversed(router.routes)  # the first one of a path counts
            if isinstance(route, Route) and not route.param_convertors and iscoroutinefunction(route.endpoint)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http" and not scope.get("root_path"):
            route = self._routes.get((scope["path"], scope["method"]))
        if route is None:
            await self._router(scope, receive, send)
            return
        scope["route"] = route
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


class Edge:
    def __init__(
        self, app: ASGIApp, *, new_request_id: Callable[[], str], clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._new_request_id = new_request_id
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or REQUEST_ID in scope:
            await self._app(scope, receive, send)
            return
        started = self._clock()
        request_id, caller = self._sent(scope)
        exchange = Exchange(request_id, send)
        scope[REQUEST_ID] = request_id
        path = _path(scope)  # now: routing changes the scope
        method, scheme = scope["method"], scope.get("scheme", "http")
        telemetry = telemetry_of(scope)
        span = None if telemetry is None else telemetry.begin(method, scheme, path, request_id, caller)
        token = CURRENT.set(CurrentRequest(request_id, (span and span.trace) or caller))
        try:
            await self._serve(scope, receive, exchange)
        finally:
            seconds = self._clock() - started
            log_request(method, path, exchange.status, seconds, request_id)
            if telemetry is not None:
                telemetry.end(span, method, scheme, _route(scope), exchange.status, seconds)
            CURRENT.reset(token)

    def _sent(self, scope: Scope) -> tuple[str, TraceContext | None]:
        """The request's id, and its place in the caller's trace: a header that is there once and valid."""
        names = dict(scope["headers"])
        if b"x-request-id" not in names and b"traceparent" not in names:
            return self._new_request_id(), None
        request_id: str | None = None
        traceparents: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"x-request-id" and request_id is None:
                request_id = value.decode("latin-1")
            elif name == b"traceparent":
                traceparents.append(value)
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = self._new_request_id()
        one = traceparents[0].decode("latin-1") if len(traceparents) == 1 else ""
        return request_id, parse_traceparent(one) if one else None

    async def _serve(self, scope: Scope, receive: Receive, exchange: Exchange) -> None:
        try:
            if scope["method"] == "OPTIONS":
                await _options(scope)(scope, receive, exchange.send)
            else:
                await self._app(scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED
        except AnswerAborted:
            raise
        except Exception as error:
            answer = _error_answer(error, scope, exchange.request_id)
            if exchange.started:
                raise AnswerAborted from None
            await answer(scope, receive, exchange.send)


class Exchange:
    """One request's answer on its way out: adds the headers that every answer has."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.status = CLIENT_CLOSED
        self.started = False
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        # Not async: this stands in the way of every event of every stream.
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            given = message.get("headers", ())
            ours: Iterable[tuple[bytes, bytes]] = EVERY_ANSWER.items()
            names = dict(given)
            if not names.keys().isdisjoint(EVERY_ANSWER):
                ours = [header for header in ours if header[0] not in names]
            request_id = (b"x-request-id", self.request_id.encode("ascii"))
            message = {**message, "headers": [*given, request_id, *ours]}
        return self._send(message)


def _route(scope: Scope) -> str | None:
    """The template of the path, `/documents/{id}`; None where no route has it."""
    return getattr(scope.get("route"), "path", None)


def _path(scope: Scope) -> str:
    """As it was sent, without its query: percent-encoded, so that it cannot break a log line."""
    raw = scope.get("raw_path")
    return raw.decode("ascii", "replace").partition("?")[0] if raw else quote(scope["path"])


def _error_answer(error: Exception, scope: Scope, request_id: str) -> Response:
    known = as_api_error(error, request_id)
    where = f"{scope['method']} {scope['path'][:200]}"
    if isinstance(error, HTTPException) and error.status_code == 404:
        known = NotFound(f"There is no endpoint {where}")
    if isinstance(known, MethodNotAllowed):
        allowed = ", ".join(sorted(_methods_at(scope)))
        known = MethodNotAllowed(f"{where} is not possible; allowed are {allowed}")
        return error_answer(known, request_id, {"allow": allowed})
    return error_answer(known, request_id, {})


def _methods_at(scope: Scope) -> set[str]:
    """The methods of every route at this path, in the innermost app that has seen it."""
    methods = {"OPTIONS"}
    for route in scope["app"].routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return methods


def _options(scope: Scope) -> Response:
    """A preflight's answer (Fetch standard, 3.3.3): no body, and no type of one."""
    headers = Headers(scope=scope)
    asked = headers.get("access-control-request-headers", "")[:MAX_ASKED_HEADERS].lower()
    names = dict.fromkeys(ALLOWED_HEADERS.split(", "))
    names.update(
        dict.fromkeys(name for part in asked.split(",") if _HEADER_NAME.fullmatch(name := part.strip()))
    )
    return Response(
        status_code=204,
        headers={
            "allow": ", ".join(sorted(_methods_at(scope))),
            "access-control-allow-headers": ", ".join(names),
            "access-control-max-age": "86400",
            "vary": "access-control-request-headers",
        },
    )
