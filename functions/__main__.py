"""Every function on one server: `python -m functions`, or `uvicorn functions.__main__:app`."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from functions import (
    analyze_document,
    answer_question,
    catalog,
    chat_completions,
    create_diagram,
    documents,
    embeddings,
    generate_suggestions,
    health,
    index_document,
    metrics,
    models,
    openapi,
    rebase_anchors,
    usage,
)
from shared.http.app import create_app
from shared.services import State, lifespan


@asynccontextmanager
async def _serving(app: Starlette) -> AsyncIterator[State]:
    """What lives as long as the server is not looked through for garbage again, and new garbage less often.

    Otherwise each full collection holds up every stream (docs/performance.md).
    """
    async with lifespan(long_running=True)(app) as state:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        state["services"].catalog.warm()
        yield state


app = create_app(
    [
        route
        for function in (
            analyze_document,
            generate_suggestions,
            answer_question,
            create_diagram,
            index_document,
            documents,
            chat_completions,
            embeddings,
            models,
            catalog,
            rebase_anchors,
            health,
            metrics,
            openapi,
            usage,
        )
        for route in function.routes
    ],
    lifespan=_serving,
)

if __name__ == "__main__":
    from shared.cli import main

    main(["serve", *sys.argv[1:]])
