"""GET /functions/v1/usage and /catalog/gateway/{gateway}/stats: what the ledger adds up to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.auth import authenticate
from shared.errors import NotFound
from shared.http.answers import json_answer
from shared.http.app import create_app
from shared.http.query import check_names
from shared.services import lifespan, services_of
from shared.settings import Settings
from shared.usage import DEFAULT_GROUPS, DEFAULT_RANGE, figures, groups, report_json, time_range


async def usage(request: Request) -> Response:
    caller = authenticate(request)
    check_names(request, "time_range", "group_by")
    asked = request.query_params.get("time_range", DEFAULT_RANGE)
    span = time_range(asked)
    group_by = groups(request.query_params.get("group_by", DEFAULT_GROUPS))
    report = await services_of(request).store.usage(caller, since=span, group_by=group_by)
    return json_answer(report_json(report, asked, span, group_by))


async def gateway_stats(request: Request) -> Response:
    caller = authenticate(request)
    check_names(request, "time_range")
    services = services_of(request)
    gateway = _known(request.path_params["gateway"], services.settings)
    asked = request.query_params.get("time_range", DEFAULT_RANGE)
    span = time_range(asked)
    report = await services.store.usage(caller, since=span, group_by=["model"], provider=gateway)
    return json_answer(
        {
            "gateway": gateway,
            "time_range": asked,
            "since_seconds": span.total_seconds(),
            **figures(report.total),
            "models": [{**row.group, **figures(row)} for row in report.rows],
        }
    )


def _known(found: str, settings: Settings) -> str:
    """A provider's name as its row has it. Raises NotFound."""
    name = found.strip().lower().replace("-", "_")
    if name not in settings.access:
        known = ", ".join(settings.access)
        raise NotFound(f"gateway is {found[:60]!r}; known are {known}", param="gateway")
    return name


routes = [
    Route("/functions/v1/usage", usage, methods=["GET"]),
    Route("/catalog/gateway/{gateway}/stats", gateway_stats, methods=["GET"]),
]
app = create_app(routes, lifespan=lifespan(long_running=False))
