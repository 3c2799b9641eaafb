"""GET /catalog/models and /catalog/model/{id}: what models there are, what they can do and what they cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.ai.model_choice import ORDERS, near, ordered, suits, told
from shared.ai.model_lists import CAPABILITIES, Listing
from shared.auth import authenticate
from shared.catalog_json import listing_json, model_json
from shared.errors import InvalidRequest, NotFound
from shared.http.answers import json_answer
from shared.http.app import create_app
from shared.http.query import check_names, one_of
from shared.services import lifespan, services_of
from shared.types import Task


async def models(request: Request) -> Response:
    authenticate(request)
    check_names(request, "gateway", "task", "capability", "sort")
    task = one_of(request, "task", list(Task))
    capability = one_of(request, "capability", CAPABILITIES)
    order = one_of(request, "sort", ORDERS) or ("cost" if task else "name")
    listings = await _listings(request)
    found = [
        model
        for listing in listings
        for model in listing.models.values()
        if (task is None or suits(model, task)) and (capability is None or model.has(capability))
    ]
    return json_answer(
        {
            "object": "list",
            "task": task,
            "sort": order,
            "gateways": [listing_json(listing) for listing in listings],
            "data": [model_json(model, task) for model in ordered(found, order, task)],
        }
    )


async def one_model(request: Request) -> Response:
    authenticate(request)
    check_names(request, "gateway")
    model_id = request.path_params["model_id"]
    listings = await _listings(request)
    for listing in listings:
        if (model := listing.find(model_id)) is not None:
            return json_answer({**model_json(model), "list": listing_json(listing)})
    raise _unknown(model_id, listings)


async def _listings(request: Request) -> Sequence[Listing]:
    """Of the gateway that is named, or of all. Raises InvalidRequest."""
    services = services_of(request)
    known = services.settings.access
    names = list(known)
    if (asked := request.query_params.get("gateway")) is not None:
        names = [asked.strip().lower().replace("-", "_")]
        if names[0] not in known:
            message = f"gateway is {asked[:60]!r}; allowed are {', '.join(known)}"
            raise InvalidRequest(message, param="gateway")
    return await asyncio.gather(*map(services.catalog.first, names))


def _unknown(model_id: str, listings: Sequence[Listing]) -> NotFound:
    like = near(model_id, {name for listing in listings for name in listing.models})
    return NotFound(f"No list has the model {model_id[:60]!r}; {told(like)}", param="id")


routes = [
    Route("/catalog/models", models, methods=["GET"]),
    Route("/catalog/model/{model_id:path}", one_model, methods=["GET"]),
]
app = create_app(routes, lifespan=lifespan(long_running=False))
