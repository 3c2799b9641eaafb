"""`marginalia check`: what would be called, and what is missing. Asks nobody, unless for lists of models."""

from __future__ import annotations

from pathlib import Path

from shared.commands import routing
from shared.commands.model_names import Unlisted, unlisted
from shared.commands.routing import Route
from shared.commands.terminal import FAILED, MISUSED, fail, output, plain, print_json
from shared.settings import Settings


def check(settings: Settings, *, as_json: bool, live: bool = False) -> int:
    """The exit code: 0 every task has a provider that can be called (or is meant to have none), else 1.

    Models that no list has are warned of: a list may be incomplete, so they do not change the code.
    `live`: the providers are asked for their lists.
    """
    unanswered = [route for route in routing.routes(settings) if _lacks_provider(route, settings)]
    strange = unlisted(settings, live=live)
    if as_json:
        problems = [problem(route) for route in unanswered]
        warnings = [model.to_json() for model in strange]
        print_json(
            {
                "ready": not unanswered,
                "problems": problems,
                "warnings": warnings,
                **routing.to_json(settings),
            }
        )
    else:
        _print(settings, unanswered, strange)
    return FAILED if unanswered else 0


def _lacks_provider(route: Route, settings: Settings) -> bool:
    return route.called is None and settings.offline != "only"


def problem(route: Route) -> str:
    """Why nobody can be asked, and what happens then."""
    missing = sorted({routing.key_variable(target) for target in route.targets})
    reason = f"set {' or '.join(missing)}" if missing else "no provider is named for it"
    outcome = (
        "it is answered offline, degraded" if route.offline else "its requests end in 503 not_configured"
    )
    return f"{route.task}: no provider can be called ({reason}); {outcome}"


def _print(settings: Settings, unanswered: list[Route], strange: list[Unlisted]) -> None:
    console = output()
    console.print(routing.full_table(settings))
    console.print()
    console.print(f"Embedder:  {routing.embedder(settings)}")
    console.print(f"Database:  {routing.database(settings)}")
    console.print(f"Offline:   AI_OFFLINE={settings.offline}")
    for model in strange:
        console.print(f"Warning:   {plain(model.warning)}")
    for route in unanswered:
        console.print(f"Missing:   {problem(route)}")
    if not unanswered:
        console.print("Every task has somebody to answer it.")


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file as deployment tools read it: NAME=value lines, `export`, quotes, comments."""
    from dotenv import dotenv_values

    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read: {error}", MISUSED)
    return {name: value for name, value in found.items() if value is not None}
