"""Where a URL leads, and by which proxy."""

import pytest

from shared.ai.places import Place, destination, environment_proxies
from shared.errors import ProviderError
from shared.types import Outcome


def direct(url: str) -> tuple[Place, list[str]]:
    found = destination(url, lambda *_: None)
    return found.place, found.lines.decode().splitlines()


@pytest.mark.parametrize(
    ("url", "place", "line", "host"),
    [
        ("http://a/v1", Place(False, "a", 80), "/v1", "a"),
        ("https://a/v1", Place(True, "a", 443), "/v1", "a"),
        ("https://a:443", Place(True, "a", 443), "/", "a"),
        ("http://a:443/", Place(False, "a", 443), "/", "a:443"),
        ("http://[::1]:8080/x", Place(False, "::1", 8080), "/x", "[::1]:8080"),
        ("https://bücher.example/", Place(True, "xn--bcher-kva.example", 443), "/", "xn--bcher-kva.example"),
        ("http://user:secret@a/", Place(False, "a", 80), "/", "a"),
        ("http://a/b c/é%20?q=1 2#part", Place(False, "a", 80), "/b%20c/%C3%A9%20?q=1%202", "a"),
    ],
)
def test_a_url_leads_somewhere(url: str, place: Place, line: str, host: str) -> None:
    assert direct(url) == (place, [f" {line} HTTP/1.1", f"host: {host}"])


@pytest.mark.parametrize(
    "url", ["ftp://a/", "a/b", "http:///x", "http://a:99999/", "http://a:x/", "http://a b/"]
)
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ProviderError) as caught:
        direct(url)
    assert caught.value.outcome is Outcome.PROTOCOL_ERROR


def test_the_same_place_by_another_way_is_another_place() -> None:
    one = destination("http://a/", lambda *_: None).place
    other = destination("http://a/", lambda *_: "http://p:1").place
    assert one != other
    assert not other.tunnels


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https://api.test:443", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://api.test:443", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "https://api.test:443", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://api.test:80", None),
        ({"http_proxy": "p:1"}, "http://api.test:80", "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "https://api.test:443", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.test"}, "https://api.test:443", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".test"}, "https://api.test:443", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.test:444"}, "https://api.test:443", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://api.test:443", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://127.0.0.1:80", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://::1:80", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://localhost:80", None),
    ],
    ids=repr,
)
def test_the_environment_says_which_proxy_serves(
    environ: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    scheme, _, place = url.partition("://")
    host, _, port = place.rpartition(":")
    assert environment_proxies()(scheme, host, int(port)) == proxy
