"""Query parameters, checked: a misspelt one must not pass for one that was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from starlette.requests import Request

from shared.errors import InvalidRequest

Choice = TypeVar("Choice", bound=str)


def check_names(request: Request, *known: str) -> None:
    """Raises InvalidRequest for a parameter that is not among them."""
    for name in request.query_params:
        if name not in known:
            message = f"{name[:60]!r} is no parameter here; allowed are {', '.join(known)}"
            raise InvalidRequest(message, param=name[:60])


def one_of(request: Request, name: str, allowed: Sequence[Choice]) -> Choice | None:
    """The parameter's value, None where it is not there. Raises InvalidRequest for any other."""
    found = request.query_params.get(name)
    if found is None:
        return None
    for choice in allowed:
        if choice == found:
            return choice
    raise InvalidRequest(f"{name} is {found[:60]!r}; allowed are {', '.join(allowed)}", param=name)
