"""The HTTP edge: bodies in, answers, streams and errors out. Imports Starlette and Pydantic alone.

answers.py    JSON answers, and the one place that turns errors into answers
app.py        create_app: CORS, request ids, the access log, around Starlette's router
body.py       read_json: a request's body, checked
streaming.py  event_stream and run_until_disconnect: both stop when the client hangs up
"""

from shared.http.answers import json_answer, request_id
from shared.http.app import create_app
from shared.http.body import MAX_BODY_BYTES, read_json
from shared.http.streaming import event_stream, requested_format, run_until_disconnect

__all__ = [
    "MAX_BODY_BYTES",
    "create_app",
    "event_stream",
    "json_answer",
    "read_json",
    "request_id",
    "requested_format",
    "run_until_disconnect",
]
