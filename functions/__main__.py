"""Every function on one server: `python -m functions`, or `uvicorn functions.__main__:app`."""

from __future__ import annotations

import sys

from functions import (
    analyze_document,
    answer_question,
    chat_completions,
    create_diagram,
    documents,
    generate_suggestions,
    health,
    index_document,
    openapi,
    rebase_anchors,
)
from shared.http.app import create_app
from shared.services import lifespan

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
            rebase_anchors,
            health,
            openapi,
        )
        for route in function.routes
    ],
    lifespan=lifespan(long_running=True),
)

if __name__ == "__main__":
    from shared.cli import main

    main(["serve", *sys.argv[1:]])
