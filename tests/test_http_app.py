from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from shared.errors import (
    AllProvidersFailed,
    ApiError,
    FailedAttempt,
    InternalError,
    NotFound,
    ProviderError,
    RateLimited,
    StoreUnavailable,
    Unauthenticated,
    Unprocessable,
)
from shared.http import create_app, json_answer, request_id
from shared.types import Outcome
from tests.server import serving

SUPABASE_HEADERS = (
    "authorization, x-client-info, apikey, content-type, x-region, x-retry-count, traceparent, "
    "tracestate, baggage, last-event-id, x-request-id, idempotency-key"
)


async def echo(request: Request) -> Response:
    return json_answer({"request_id": request_id(request)})


async def nothing(request: Request) -> Response:
    return Response(status_code=204)


def failing(error: Exception) -> Any:
    async def endpoint(request: Request) -> Response:
        raise error

    return endpoint


ROUTES = [
    Route("/echo", echo, methods=["GET"]),
    Route("/echo", nothing, methods=["PUT"]),
    Route("/echo/{id}", nothing, methods=["DELETE"]),
    Route("/post", echo, methods=["POST"]),
]


@asynccontextmanager
async def client_of(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


async def answer_to(error: Exception) -> httpx.Response:
    app = create_app([Route("/fail", failing(error))], new_request_id=lambda: "made")
    async with client_of(app) as client:
        return await client.get("/fail?key=secret")


def group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("tasks", list(errors))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("no such document"), 404, "not_found"),
        (Unprocessable("empty", param="content"), 422, "unprocessable"),
        (StoreUnavailable("down"), 503, "store_unavailable"),
        (ValueError("secret"), 500, "internal_error"),
        (ProviderError(Outcome.CUT, "secret"), 500, "internal_error"),
        (group(NotFound("gone")), 404, "not_found"),
        (group(group(NotFound("gone"))), 404, "not_found"),
        (group(NotFound("gone"), ValueError("secret")), 500, "internal_error"),
    ],
)
async def test_an_error_has_its_status_and_the_one_shape(error: Exception, status: int, code: str) -> None:
    answer = await answer_to(error)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code", "request_id"}
    assert (body["code"], body["request_id"]) == (code, "made")
    assert "secret" not in answer.text


async def test_every_class_of_api_error_is_answered_by_its_own_status() -> None:
    classes = ApiError.__subclasses__()
    routes = [Route(f"/{kind.__name__}", failing(kind("said"))) for kind in classes]
    async with client_of(create_app(routes)) as client:
        for kind in classes:
            answer = await client.get(f"/{kind.__name__}")
            expected = 405 if kind.code == "method_not_allowed" else kind.status
            assert (answer.status_code, answer.json()["error"]["code"]) == (expected, kind.code)


async def test_failed_attempts_stand_in_the_error_without_keys_or_prompts() -> None:
    attempt = FailedAttempt("together", "llama", Outcome.RATE_LIMITED, 429, "limit")
    body = (await answer_to(AllProvidersFailed("nobody answered", attempts=[attempt]))).json()
    assert body["error"]["attempts"] == [
        {"provider": "together", "model": "llama", "outcome": "rate_limited", "status": 429, "code": "limit"}
    ]


async def test_retry_after_is_in_whole_seconds_rounded_up() -> None:
    assert (await answer_to(RateLimited("slow down", retry_after=1.2))).headers["retry-after"] == "2"
    assert "retry-after" not in (await answer_to(RateLimited("slow down"))).headers


async def test_a_401_names_the_scheme() -> None:
    assert (await answer_to(Unauthenticated("who?"))).headers["www-authenticate"] == "Bearer"


async def test_an_unexpected_error_is_logged_by_type_and_place_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def endpoint(request: Request) -> Response:
        raise ValueError("sk-secret") from KeyError("the document's text")

    async with client_of(create_app([Route("/fail", endpoint)], new_request_id=lambda: "made")) as client:
        await client.get("/fail")
    (record,) = [record for record in caplog.records if record.name == "marginalia.http"]
    line = record.getMessage()
    assert "ValueError from KeyError request_id=made" in line
    assert "test_http_app.py" in line
    assert "sk-secret" not in caplog.text
    assert "document" not in caplog.text


async def test_the_access_log_has_no_query_and_one_line_a_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="marginalia.access")
    ticks = iter([1.0, 1.25])
    app = create_app(ROUTES, new_request_id=lambda: "made", clock=lambda: next(ticks))
    async with client_of(app) as client:
        await client.get("/echo%0Aforged?key=secret")
    (record,) = [record for record in caplog.records if record.name == "marginalia.access"]
    assert record.getMessage() == "GET /echo%0Aforged 404 250.0ms request_id=made"


@pytest.mark.parametrize(
    "sent", ["abc-123", "0af7651916cd43dd8448eb211c80319c", "a" * 128, "req_1.2:3/4+5=6@7"]
)
async def test_a_sane_request_id_is_taken_over(sent: str) -> None:
    async with client_of(create_app(ROUTES)) as client:
        answer = await client.get("/echo", headers={"x-request-id": sent})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "a" * 129, "a b", 'a"b', "<script>", "é"])
async def test_any_other_request_id_is_replaced(sent: str) -> None:
    async with client_of(create_app(ROUTES, new_request_id=lambda: "made")) as client:
        answer = await client.get("/echo", headers={"x-request-id": sent.encode()})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "made"


async def test_each_request_has_its_own_id() -> None:
    async with client_of(create_app(ROUTES)) as client:
        first, second = [(await client.get("/echo")).headers["x-request-id"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/echo", 200),
        ("PUT", "/echo", 204),
        ("GET", "/nowhere", 404),
        ("POST", "/echo", 405),
        ("OPTIONS", "/echo", 204),
        ("OPTIONS", "/nowhere", 204),
        ("GET", "/fail", 500),
    ],
)
async def test_cors_headers_and_a_request_id_stand_on_every_answer(
    method: str, path: str, status: int
) -> None:
    app = create_app([*ROUTES, Route("/fail", failing(InternalError("broken")))])
    async with client_of(app) as client:
        answer = await client.request(method, path, headers={"origin": "https://editor.example"})
    assert answer.status_code == status
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert answer.headers["access-control-allow-headers"] == SUPABASE_HEADERS
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-request-id"]


async def test_a_preflight_as_supabase_js_sends_it_is_granted_without_a_body() -> None:
    async with client_of(create_app(ROUTES)) as client:
        answer = await client.options(
            "/post",
            headers={
                "origin": "http://localhost:3000",
                "access-control-request-method": "POST",
                "access-control-request-headers": "apikey,authorization,content-type,x-client-info",
            },
        )
    assert answer.status_code == 204
    assert answer.content == b""
    assert "content-type" not in answer.headers
    assert "POST" in answer.headers["access-control-allow-methods"]
    granted = answer.headers["access-control-allow-headers"].split(", ")
    assert {"apikey", "authorization", "content-type", "x-client-info"} <= set(granted)


async def test_a_preflight_grants_the_headers_that_other_sdks_ask_for_and_nothing_malformed() -> None:
    async with client_of(create_app(ROUTES)) as client:
        asked = "x-stainless-os, User-Agent, x bad, , é".encode()
        answer = await client.options("/post", headers={"access-control-request-headers": asked})
    granted = answer.headers["access-control-allow-headers"].split(", ")
    assert set(granted) - set(SUPABASE_HEADERS.split(", ")) == {"x-stainless-os", "user-agent"}


async def test_an_unknown_path_is_named_in_the_error() -> None:
    async with client_of(create_app(ROUTES)) as client:
        for path in ["/nowhere", "/echo/", "/"]:
            answer = await client.get(path)
            assert answer.status_code == 404
            assert answer.json()["error"]["message"] == f"There is no endpoint GET {path}"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/echo", "GET, HEAD, OPTIONS, PUT"),
        ("GET", "/post", "OPTIONS, POST"),
        ("HEAD", "/post", "OPTIONS, POST"),
        ("TRACE", "/echo/1", "DELETE, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_methods_of_all_routes_at_the_path(
    method: str, path: str, allowed: str
) -> None:
    async with client_of(create_app(ROUTES)) as client:
        answer = await client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    if method == "HEAD":
        assert answer.content == b""
    else:
        assert answer.json()["error"]["code"] == "method_not_allowed"


async def test_head_is_get_without_the_body() -> None:
    async with client_of(create_app(ROUTES, new_request_id=lambda: "made")) as client:
        head, get = await client.head("/echo"), await client.get("/echo")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))


async def test_a_mounted_app_leaves_the_edge_to_the_outer_one() -> None:
    inner = create_app(ROUTES, new_request_id=lambda: "inner")
    async with client_of(create_app([Mount("/in", inner)], new_request_id=lambda: "outer")) as client:
        answer = await client.get("/in/echo")
        assert answer.json() == {"request_id": "outer"}
        assert answer.headers.get_list("x-request-id") == ["outer"]
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        missing = await client.get("/in/nowhere")
        assert missing.json()["error"]["message"] == "There is no endpoint GET /in/nowhere"
        wrong = await client.post("/in/echo")
        assert wrong.headers["allow"] == "GET, HEAD, OPTIONS, PUT"


async def test_the_lifespans_state_reaches_the_requests() -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        yield {"name": "from the lifespan"}

    async def endpoint(request: Request) -> Response:
        return json_answer({"name": request.state.name})

    async with client_of(create_app([Route("/", endpoint)], lifespan=lifespan)) as client:
        assert (await client.get("/")).json() == {"name": "from the lifespan"}


async def test_an_answer_that_breaks_after_its_start_breaks_the_connection_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ValueError("secret")

    async def endpoint(request: Request) -> Response:
        return Broken()

    async with client_of(create_app([Route("/", endpoint)])) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")
    assert "secret" not in caplog.text
