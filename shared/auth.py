"""Who the caller is. Without auth configured: the one local tenant, from this machine alone."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from shared.errors import ConfigurationError, Forbidden
from shared.settings import Settings
from shared.types import LOCAL_CALLER, Caller

HOW_TO = "set SUPABASE_JWT_SECRET or SUPABASE_JWKS_URL to let others call"


def authenticate(connection: HTTPConnection) -> Caller:
    """The local tenant. Authorization and apikey headers, as supabase-js sends them, are ignored.

    Raises Forbidden for a client on another machine, and for a page of another machine's in a browser
    on this one. A client without an IP address (a Unix socket, a test client) counts as local.
    """
    client = connection.scope.get("client")
    if client is not None and not is_loopback(client[0], unknown=True):
        raise Forbidden(f"No authentication is configured, so only this machine may call; {HOW_TO}")
    if _is_foreign_page(connection):
        raise Forbidden(f"No authentication is configured, so only pages of this machine may call; {HOW_TO}")
    return LOCAL_CALLER


def _is_foreign_page(connection: HTTPConnection) -> bool:
    """Browsers say so in Sec-Fetch-Site (Fetch Metadata, 2.3), which a page cannot change."""
    if dict(connection.scope["headers"]).get(b"sec-fetch-site") not in (b"cross-site", b"same-site"):
        return False
    host = urlsplit(connection.headers.get("origin", "")).hostname or ""
    return not (host == "localhost" or host.endswith(".localhost") or is_loopback(host, unknown=False))


def check_bind(host: str, settings: Settings) -> None:
    """Raises ConfigurationError for an address others can reach while anyone would be let in."""
    if settings.auth_configured or host.lower() == "localhost" or is_loopback(host, unknown=False):
        return
    raise ConfigurationError(
        "--host",
        f"found {host!r}; while no authentication is configured allowed are 127.0.0.1, ::1 and localhost; "
        f"{HOW_TO}",
    )


@lru_cache(maxsize=1024)
def is_loopback(host: str, *, unknown: bool) -> bool:
    """Whether an IP address is this machine's own; `unknown` for what is no IP address."""
    try:
        address = ip_address(host)
    except ValueError:
        return unknown
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
