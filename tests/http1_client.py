"""The HTTP/1.1 transport as its tests use it: opened, asked, read to the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.ai.http1 import Exchange, Http1Transport
from shared.ai.transport import Response
from shared.errors import ProviderError
from tests.certificates import Authority

HEADERS = {"content-type": "application/json"}


@asynccontextmanager
async def transport(
    *, proxy: str | None = None, authority: Authority | None = None
) -> AsyncIterator[Http1Transport]:
    opened = Http1Transport(proxies=lambda *_: proxy, tls=(authority or Authority()).client_context)
    try:
        yield opened
    finally:
        await opened.aclose()


def opened(http: Http1Transport, url: str) -> Exchange:
    return http.open("POST", url, headers={}, body=b"", connect_timeout=5.0)


async def whole(response: Response) -> bytes:
    pieces = []
    while data := await response.read():
        pieces.append(data)
    return b"".join(pieces)


async def ask(http: Http1Transport, url: str, body: bytes = b"{}") -> bytes:
    async with http.open("POST", url, headers=HEADERS, body=body, connect_timeout=5.0) as response:
        return await whole(response)


async def failure_of(http: Http1Transport, url: str, *, connect_timeout: float = 5.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async with http.open("POST", url, headers=HEADERS, body=b"{}", connect_timeout=connect_timeout) as it:
            await whole(it)
    return caught.value
