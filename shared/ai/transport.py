"""The seam between the provider layer and HTTP. Nothing else here knows what carries a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Response(Protocol):
    """The head of an answer, and its body as it arrives, content encoding undone."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""

    @property
    def ended(self) -> bool:
        """Whether the whole body has come and has been read."""

    async def read(self) -> bytes:
        """What has come of the body, at least a byte; b"" at its end. May be cancelled and called again.

        Raises ProviderError CONNECT_ERROR when the connection breaks, PROTOCOL_ERROR when it lies.
        """


class Transport(Protocol):
    """Sends a request and gives its answer. Never retries, never follows a redirect.

    Leaving the context before the body has ended closes the connection.
    """

    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        connect_timeout: float,
        on_sent: Callable[[], None] | None = None,
    ) -> AbstractAsyncContextManager[Response]:
        """Raises ProviderError CONNECT_ERROR or TIMEOUT (seconds to connect).

        `on_sent` is called as the request goes out: from then on a provider may charge for it.
        """

    async def aclose(self) -> None: ...
