"""The seam between the provider layer and an HTTP client. Nothing else here knows which one it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx

from shared.errors import ProviderError
from shared.types import Outcome


class Response(Protocol):
    """The head of an answer, and its body as it arrives, content encoding undone."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises ProviderError CONNECT_ERROR when the connection breaks, PROTOCOL_ERROR when it lies."""


class Transport(Protocol):
    """Sends a request and gives its answer. Never retries, never follows a redirect.

    Leaving the context before the body has ended closes the connection.
    """

    def open(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, connect_timeout: float
    ) -> AbstractAsyncContextManager[Response]:
        """Raises ProviderError CONNECT_ERROR or TIMEOUT (seconds to connect)."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _HttpxResponse:
    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in self.response.aiter_bytes():
                yield chunk
        except httpx.HTTPError as error:
            raise _failure(error) from None


class HttpxTransport:
    """One shared connection pool; proxies and trust stores as the environment says."""

    def __init__(self, *, verify: bool = True) -> None:
        self._verify = verify
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, connect_timeout: float
    ) -> AsyncIterator[Response]:
        timeout = httpx.Timeout(None, connect=connect_timeout)
        request = self._pool().build_request(method, url, headers=headers, content=body, timeout=timeout)
        try:
            response = await self._pool().send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failure(error) from None
        try:
            yield _HttpxResponse(response)
        finally:
            await response.aclose()

    def _pool(self) -> httpx.AsyncClient:
        """Made at first use: reading the trust store takes tens of milliseconds."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=5.0)
            self._client = httpx.AsyncClient(limits=limits, follow_redirects=False, verify=self._verify)
        return self._client

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _failure(error: httpx.HTTPError | httpx.InvalidURL) -> ProviderError:
    """By its class alone: httpx quotes headers and addresses in its messages."""
    name = type(error).__name__
    if isinstance(error, httpx.ConnectTimeout):
        return ProviderError(Outcome.TIMEOUT, name, code="connect_timeout")
    if isinstance(error, httpx.DecodingError | httpx.InvalidURL | httpx.UnsupportedProtocol):
        return ProviderError(Outcome.PROTOCOL_ERROR, name)
    return ProviderError(Outcome.CONNECT_ERROR, name)
