"""The command line: what each command takes. What each does stands in `shared/commands`.

Imports little, so that `marginalia --help` and shell completion answer at once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from shared.commands.terminal import FAILED, MISUSED, fail
from shared.errors import ConfigurationError, MarginaliaError
from shared.settings import Settings

EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 wrong use or a wrong variable."

app = typer.Typer(
    name="marginalia",
    help="The AI backend behind an editor: analysis, suggestions, cited answers and diagrams.",
    epilog=f"Configured by environment variables; `marginalia check` shows what they amount to. {EXIT_CODES}",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point, with the process's own arguments. What is wrong is one line, without a traceback."""
    # Libraries warn of what ends in one of our errors anyway, such as each attempt to connect.
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    logging.getLogger("marginalia").setLevel(logging.WARNING)
    try:
        app(arguments, prog_name="marginalia")
    except ConfigurationError as error:
        fail(str(error), MISUSED)
    except MarginaliaError as error:
        fail(str(error), FAILED)
    raise SystemExit(0)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"marginalia {version('marginalia')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The AI backend behind an editor: analysis, suggestions, cited answers and diagrams."""


@app.command(epilog=EXIT_CODES)
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Anything but loopback needs callers to be verified.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the port.")] = 1,
) -> None:
    """Start the database, migrate it, and serve every endpoint until Ctrl-C.

    The first start with the embedded database loads and indexes a few sample documents.
    """
    from shared.commands.serve import serve as run_server

    run_server(Settings.from_env(os.environ), host=host, port=port, workers=workers)


@app.command(epilog=EXIT_CODES)
def migrate(as_json: AsJson = False) -> None:
    """Apply the migrations that the database lacks, and name them. Two may run at once."""
    from shared.commands.migrate import migrate as run_migrations

    run_migrations(Settings.from_env(os.environ), as_json=as_json)


@app.command(epilog=EXIT_CODES)
def index(
    paths: Annotated[
        list[Path],
        typer.Argument(
            exists=True, metavar="PATH…", help="Files, or folders with all below them.", show_default=False
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Store and index Markdown (.md, .markdown), TypeScript (.ts, .tsx) and JSON files.

    A document's id is its path from the folder you name on: `marginalia index docs` makes
    `docs/guide/start.md`. Documents that have not changed are left alone. Hidden files and node_modules
    are passed over; a file that is not UTF-8 or larger than 2 MiB is named, and the exit code is 1.
    """
    from shared.commands.index import index as run_index

    raise typer.Exit(run_index(Settings.from_env(os.environ), paths, as_json=as_json))


@app.command(epilog=EXIT_CODES)
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.", show_default=False)],
    document: Annotated[
        list[str] | None,
        typer.Option("--document", "-d", metavar="ID", help="Ask only this document; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the indexed documents, with the passages it rests on.

    When the documents do not say, it says so: that is an answer too, with exit code 0.
    """
    from shared.commands.ask import ask as run_ask

    run_ask(Settings.from_env(os.environ), question, document or [], as_json=as_json)


@app.command(epilog=EXIT_CODES)
def diagram(
    concept: Annotated[str, typer.Argument(help="What to draw.", show_default=False)],
    document_id: Annotated[
        str | None,
        typer.Option("--document-id", "-d", metavar="ID", help="Draw it from this stored document."),
    ] = None,
    diagram_type: Annotated[
        str | None,
        typer.Option("--type", "-t", help="flowchart, sequence, class, state, er, mindmap, timeline, …"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A name ending in .svg, .png or .mmd; else Mermaid on stdout."
        ),
    ] = None,
) -> None:
    """Draw a concept as a Mermaid diagram, or as a picture where the extra `svg` is installed."""
    from shared.commands.diagram import diagram as draw_diagram

    draw_diagram(
        Settings.from_env(os.environ),
        concept,
        document_id=document_id,
        diagram_type=diagram_type,
        out=out,
    )


@app.command(epilog=EXIT_CODES)
def check(
    env_file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            readable=True,
            help="Check this file's variables (NAME=value lines) instead of the environment's.",
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the providers for their lists of models.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show per task what would be called and what is missing. Calls nobody, unless with --live.

    Models that their provider does not list are warned of, with names that are near: by the list shipped
    with this version, or with --live by the providers' own.
    Exits with 1 when a task has no provider that can be called, also where it would be answered offline;
    with AI_OFFLINE=only no provider is wanted, and the exit code is 0.
    """
    from shared.commands.check import check as run_check
    from shared.commands.check import read_env_file

    environ = os.environ if env_file is None else read_env_file(env_file)
    raise typer.Exit(run_check(Settings.from_env(environ), as_json=as_json, live=live))


@app.command(epilog=EXIT_CODES)
def usage(
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d, 4w.", metavar="TIME")] = "24h",
    group_by: Annotated[
        str,
        typer.Option(help="Any of task, provider, model, outcome and day, with commas.", metavar="COLUMNS"),
    ] = "task,provider,model",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with a line of names.")] = False,
    as_json: AsJson = False,
    chart: Annotated[
        Path | None, typer.Option(dir_okay=False, metavar="FILE.svg", help="Draw it as well.")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="PROVIDER PROVIDER", help="Set two providers side by side, task by task."),
    ] = None,
) -> None:
    """Print calls, tokens, cost and speed from the ledger. A cost that is not known shows as “?”."""
    from shared.commands.usage import chosen_form
    from shared.commands.usage import usage as run_usage

    form = chosen_form(as_csv=as_csv, as_json=as_json)
    if compare is not None and chart is not None:
        fail("--compare and --chart: choose one", MISUSED)
    if compare is None:
        run_usage(Settings.from_env(os.environ), since=since, group_by=group_by, form=form, chart=chart)
        return
    from shared.commands.usage_compare import compare as run_comparison

    run_comparison(Settings.from_env(os.environ), compare, since=since, form=form)


if __name__ == "__main__":
    main()
