"""Plain pass-throughs to compare with: `python -m benchmarks.gateway.references NAME UPSTREAM PORT`.

They do nothing but pass bytes on: no failover, no ledger, no parsing. NAME: raw, httpx or aiohttp.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def raw(upstream: str) -> Any:
    """Bare ASGI, and this project's own HTTP/1.1 transport."""
    from shared.ai.http1 import Http1Transport

    transport = Http1Transport()

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {"content-type": "application/json"}
        async with transport.open(
            "POST", f"{upstream}/chat/completions", headers=headers, body=body, connect_timeout=5.0
        ) as response:
            passed = [(b"content-type", response.headers["content-type"].encode())]
            await send({"type": "http.response.start", "status": response.status, "headers": passed})
            while data := await response.read():
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def httpx(upstream: str) -> Any:
    """Starlette and httpx, as the tutorials have it."""
    import httpx as library
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    client = library.AsyncClient(limits=library.Limits(max_connections=None), timeout=60)

    async def chat(request: Request) -> Response:
        body = await request.body()
        asked = client.build_request(
            "POST", f"{upstream}/chat/completions", content=body, headers={"content-type": "application/json"}
        )
        answer = await client.send(asked, stream=True)
        kind = answer.headers["content-type"]
        if kind == "text/event-stream":
            return StreamingResponse(_closing(answer), media_type=kind)
        content = await answer.aread()
        await answer.aclose()
        return Response(content, media_type=kind)

    async def _closing(answer: Any) -> AsyncIterator[bytes]:
        try:
            async for data in answer.aiter_raw():
                yield data
        finally:
            await answer.aclose()

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])


def aiohttp(upstream: str) -> Any:
    """Starlette and aiohttp."""
    import aiohttp as library
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    sessions: list[Any] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with library.ClientSession(connector=library.TCPConnector(limit=0)) as session:
            sessions.append(session)
            yield

    async def chat(request: Request) -> Response:
        body = await request.body()
        answer = await sessions[0].post(
            f"{upstream}/chat/completions", data=body, headers={"content-type": "application/json"}
        )
        kind = answer.headers["content-type"]
        if kind == "text/event-stream":
            return StreamingResponse(_closing(answer), media_type=kind)
        content = await answer.read()
        return Response(content, media_type=kind)

    async def _closing(answer: Any) -> AsyncIterator[bytes]:
        async with answer:
            async for data in answer.content.iter_any():
                yield data

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])], lifespan=lifespan)


APPS = {"raw": raw, "httpx": httpx, "aiohttp": aiohttp}

if __name__ == "__main__":
    name, upstream, port = sys.argv[1:]
    uvicorn.run(APPS[name](upstream), host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
