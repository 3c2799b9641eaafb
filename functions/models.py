"""GET /v1/models and /v1/models/{id}: the models of the providers that are set up, in OpenAI's form."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.ai.model_choice import near, told
from shared.auth import authenticate
from shared.catalog_json import BUILTIN_MODEL, openai_json
from shared.errors import NotFound
from shared.http.answers import json_answer
from shared.http.app import create_app
from shared.services import lifespan, services_of
from shared.types import JsonObject


async def models(request: Request) -> Response:
    authenticate(request)
    return json_answer({"object": "list", "data": list((await _all(request)).values())})


async def one_model(request: Request) -> Response:
    authenticate(request)
    known = await _all(request)
    asked = request.path_params["model_id"]
    found = known.get(asked) or next((known[name] for name in known if name.endswith(f"/{asked}")), None)
    if found is None:
        raise NotFound(f"There is no model {asked[:60]!r}; {told(near(asked, known))}", param="model")
    return json_answer(found)


async def _all(request: Request) -> dict[str, JsonObject]:
    """By id, in the providers' order; the embedder built in is always there."""
    catalog = services_of(request).catalog
    listings = await asyncio.gather(*map(catalog.first, catalog.providers))
    found = [openai_json(listing, model) for listing in listings for model in listing.models.values()]
    return {model["id"]: model for model in (*found, BUILTIN_MODEL)}


routes = [
    Route("/v1/models", models, methods=["GET"]),
    Route("/v1/models/{model_id:path}", one_model, methods=["GET"]),
]
app = create_app(routes, lifespan=lifespan(long_running=False))
