from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from shared.auth import authenticate, check_bind
from shared.errors import ConfigurationError, Forbidden
from shared.settings import Settings
from shared.types import LOCAL_CALLER

SETTINGS = Settings.from_env({})


def connection(host: str | None, **headers: str) -> HTTPConnection:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    client = None if host is None else (host, 50_000)
    return HTTPConnection({"type": "http", "client": client, "headers": raw})


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1", "testclient", "", None]
)
def test_a_client_on_this_machine_is_the_local_tenant(host: str | None) -> None:
    assert authenticate(connection(host)) == LOCAL_CALLER


@pytest.mark.parametrize(
    "host", ["10.0.0.7", "8.8.8.8", "0.0.0.0", "fe80::1", "fe80::1%eth0", "::ffff:10.0.0.7"]
)
def test_a_client_on_another_machine_is_forbidden_and_told_what_to_configure(host: str) -> None:
    with pytest.raises(Forbidden, match="SUPABASE_JWT_SECRET"):
        authenticate(connection(host))


def test_the_headers_of_supabase_js_are_accepted_and_ignored() -> None:
    caller = authenticate(connection("127.0.0.1", authorization="Bearer anything", apikey="anon"))
    assert caller == LOCAL_CALLER


def page(origin: str, site: str) -> HTTPConnection:
    return connection("127.0.0.1", **{"origin": origin, "sec-fetch-site": site})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1.evil.example"])
def test_a_page_of_another_site_in_a_local_browser_is_forbidden(origin: str) -> None:
    with pytest.raises(Forbidden, match="pages"):
        authenticate(page(origin, "cross-site"))


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("http://localhost:3000", "cross-site"),
        ("http://127.0.0.1:5173", "same-site"),
        ("http://[::1]:3000", "cross-site"),
        ("http://editor.localhost", "cross-site"),
        ("", "same-origin"),
        ("", "none"),
    ],
)
def test_a_page_of_this_machine_is_the_local_tenant(origin: str, site: str) -> None:
    assert authenticate(page(origin, site)) == LOCAL_CALLER


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_serving_on_loopback_needs_no_auth(host: str) -> None:
    check_bind(host, SETTINGS)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.2", "example.org", "localhost.example.org"])
def test_serving_to_others_without_auth_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--host: .*127\.0\.0\.1.*SUPABASE_JWKS_URL"):
        check_bind(host, SETTINGS)
