"""Where a URL leads: host and port, by which proxy, and what stands in the request's first lines."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from shared.errors import ProviderError
from shared.types import Outcome

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
_KEPT = "%/:=&?~#+!$,;'@()*[]"  # what a path that is written well may hold (RFC 3986, 3.3 and 3.4)

Proxies: TypeAlias = Callable[[str, str, int], str | None]  # scheme, host, port: the proxy's URL or None


@dataclass(frozen=True, slots=True)
class Proxy:
    secure: bool  # spoken to over TLS
    host: str
    port: int
    authorization: str  # a header line, or nothing


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection leads, and by which way. Connections to the same place serve for each other."""

    secure: bool
    host: str
    port: int
    proxy: Proxy | None = None

    @property
    def tunnels(self) -> bool:
        """Whether the proxy only passes bytes on."""
        return self.proxy is not None and self.secure


@dataclass(frozen=True, slots=True)
class Destination:
    place: Place
    lines: bytes  # what follows the method: target, version, Host


def destination(url: str, proxies: Proxies) -> Destination:
    """Raises ProviderError for a URL or a proxy that cannot be used."""
    try:
        return _destination(url, proxies)
    except ValueError:  # a port that is no number, a host that is no name
        raise _unusable("UnsupportedUrl") from None


def _destination(url: str, proxies: Proxies) -> Destination:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _unusable("UnsupportedUrl")
    secure = parts.scheme == "https"
    host = _ascii(parts.hostname)
    port = parts.port or _PORTS[parts.scheme]
    found = proxies(parts.scheme, host, port)
    proxy = None if found is None else _proxy(found)
    place = Place(secure, host, port, proxy)
    target = quote(parts.path or "/", safe=_KEPT) + (
        f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
    )
    named = bracketed(host) if port == _PORTS[parts.scheme] else f"{bracketed(host)}:{port}"
    authorization = ""
    if proxy is not None and not place.tunnels:  # the absolute form, RFC 9112, 3.2.2
        target = f"{parts.scheme}://{named}{target}"
        authorization = proxy.authorization
    return Destination(place, f" {target} HTTP/1.1\r\nhost: {named}\r\n{authorization}".encode("ascii"))


def environment_proxies() -> Proxies:
    """HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as urllib reads them, now.

    This machine itself is never reached by a proxy, as in Go: a local model server would not be found.
    """
    configured = getproxies()

    def proxy_for(scheme: str, host: str, port: int) -> str | None:
        found = configured.get(scheme) or configured.get("all")
        if not found or _is_local(host) or proxy_bypass(f"{host}:{port}"):
            return None
        return found if "://" in found else f"http://{found}"

    return proxy_for


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy(url: str) -> Proxy:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:  # SOCKS, most likely
        raise _unusable("UnsupportedProxy")
    port = parts.port or _PORTS[parts.scheme]
    return Proxy(
        parts.scheme == "https", _ascii(parts.hostname), port, _authorization(parts.username, parts.password)
    )


def _authorization(username: str | None, password: str | None) -> str:
    if username is None:
        return ""
    credentials = f"{unquote(username)}:{unquote(password or '')}"
    return f"proxy-authorization: Basic {b64encode(credentials.encode()).decode()}\r\n"


def _ascii(host: str) -> str:
    """As it goes over the wire. Raises ValueError for what is no host's name."""
    name = host if host.isascii() else host.encode("idna").decode()
    if not _HOST.fullmatch(name):
        raise ValueError("no host's name")
    return name


def _unusable(why: str) -> ProviderError:
    return ProviderError(Outcome.PROTOCOL_ERROR, why)
