"""Further providers from a TOML file: one table each, its name the provider's, its keys a row's fields.

    [mistral]
    base_url = "https://api.mistral.ai/v1"
    models = { quality = "mistral-large-latest", fast = "mistral-small-latest" }
    embedding_model = "mistral-embed"

What the keys mean stands at `shared.providers.Provider`, and in docs/providers.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, get_args

from shared.errors import ConfigurationError
from shared.providers import JsonOutput, Provider, WireName, is_http_address
from shared.types import Tier

VARIABLE = "AI_CUSTOM_PROVIDERS"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token, RFC 9110, 5.6.2
# Names that mean something else where a provider is named, or whose variables are taken.
_RESERVED = frozenset({"none", "builtin", "offline", "ai", "supabase", "marginalia", "database"})

_Check: TypeAlias = Callable[[Any], Any]  # gives the value of a row; raises _Wrong


class _Wrong(Exception):
    """What is allowed instead."""


def custom_providers(path: Path, known: Mapping[str, Provider]) -> Mapping[str, Provider]:
    """The file's rows, by name.

    Raises ConfigurationError with the file, the table, the key, what was found and what is allowed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(VARIABLE, f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(VARIABLE, f"{path} is not TOML: {error}") from None
    return {name: _row(path, name, table, known) for name, table in document.items()}


def _row(path: Path, name: str, table: Any, known: Mapping[str, Provider]) -> Provider:
    if not isinstance(table, dict):
        _refuse(
            path, name, f"found {table!r} outside of any table; allowed is one table a provider: [{name}]"
        )
    if not _NAME.fullmatch(name):
        _refuse(path, f"[{name}]", "a name has small letters, digits and _, a letter first")
    if name in known or name in _RESERVED:
        _refuse(
            path,
            f"[{name}]",
            f"the name is taken; others that are: {', '.join(sorted({*known, *_RESERVED}))}",
        )
    for key in ("base_url", "models"):
        if key not in table:
            _refuse(path, f"[{name}]", f"{key} is missing")
    fields = {key: _value(path, f"[{name}] {key}", key, found) for key, found in table.items()}
    return Provider(name=name, **fields)


def _value(path: Path, place: str, key: str, found: Any) -> Any:
    check = _FIELDS.get(key)
    if check is None:
        _refuse(path, place, f"not a known key; allowed are {', '.join(_FIELDS)}")
    try:
        return check(found)
    except _Wrong as allowed:
        seen = type(found).__name__ if key == "headers" else repr(found)  # a header may carry a secret
        _refuse(path, place, f"found {seen}; allowed is {allowed}")


def _refuse(path: Path, place: str, what: str) -> NoReturn:
    raise ConfigurationError(VARIABLE, f"{path}: {place}: {what}")


# --- what the keys may be ------------------------------------------------------------------------


def _text(found: Any) -> str:
    if not isinstance(found, str) or not found.strip() or not found.isprintable():
        raise _Wrong("a text")
    return found.strip()


def _flag(found: Any) -> bool:
    if not isinstance(found, bool):
        raise _Wrong("true or false")
    return found


def _url(found: Any) -> str:
    if not isinstance(found, str) or not is_http_address(found) or "?" in found:
        raise _Wrong("an http:// or https:// address up to and including the version")
    return found.rstrip("/")


def _path(found: Any) -> str:
    """What follows the gateway's address."""
    return _text(found).strip("/")


def _seconds(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found <= 3600:
        raise _Wrong("a number of seconds, above 0 and up to 3600")
    return float(found)


def _count(found: Any) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= 1_000_000:
        raise _Wrong("a whole number from 1 to 1000000")
    return found


def _one_of(*allowed: str) -> _Check:
    def check(found: Any) -> str:
        if found not in allowed:
            raise _Wrong(f"one of {', '.join(allowed)}")
        return str(found)

    return check


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise _Wrong("a list of texts")
    return tuple(found)


def _parameters(found: Any) -> frozenset[str]:
    return frozenset(_texts(found))


def _models(found: Any) -> Mapping[Tier, str]:
    """`quality` stands in for a tier that is not named."""
    tiers = [tier.value for tier in Tier]
    wrong = _Wrong(f"a table of {', '.join(tiers)}, each a model's name; quality is required")
    if not isinstance(found, dict) or "quality" not in found or set(found) - set(tiers):
        raise wrong
    try:
        return {tier: _text(found.get(tier.value, found["quality"])) for tier in Tier}
    except _Wrong:
        raise wrong from None


def _headers(found: Any) -> Mapping[str, str]:
    """Sent with every request; names in lower case."""
    wrong = _Wrong("a table of header names and their values")
    if not isinstance(found, dict):
        raise wrong
    for name, value in found.items():
        if not _HEADER_NAME.fullmatch(name) or not isinstance(value, str):
            raise wrong
        if not (value.isascii() and value.isprintable()):
            raise wrong
    return {name.lower(): value for name, value in found.items()}


def _header_name(found: Any) -> str:
    if not isinstance(found, str) or not _HEADER_NAME.fullmatch(found):
        raise _Wrong("a header's name")
    return found.lower()


_FIELDS: Mapping[str, _Check] = {
    "base_url": _url,
    "models": _models,
    "wire": _one_of(*get_args(WireName)),
    "needs_key": _flag,
    "key_header": _header_name,
    "headers": _headers,
    "gateway_path": _path,
    "first_token_timeout": _seconds,
    "max_tokens_field": _one_of("max_tokens", "max_completion_tokens"),
    "default_max_tokens": _count,
    "json_output": _one_of(*get_args(JsonOutput)),
    "schema_in_prompt": _flag,
    "usage_in_streams": _flag,
    "accepts_prefill": _flag,
    "one_choice": _flag,
    "refuses": _parameters,
    "reasoning_models": _texts,
    "reasons_when_asked": _texts,
    "strict_models": _texts,
    "strict_models_refuse": _parameters,
    "embedding_model": _text,
    "embedding_takes_dimensions": _flag,
    "embedding_takes_tokens": _flag,
    "embedding_base64": _flag,
    "embedding_batch": _count,
}
