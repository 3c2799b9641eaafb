"""Error bodies in every provider's shape, and what they mean."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.ai.failures import from_error, from_response
from shared.types import Outcome

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def openai(code: str | None = None, kind: str = "invalid_request_error", message: str = "m") -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (429, openai("rate_limit_exceeded", "tokens"), Outcome.RATE_LIMITED, "rate_limit_exceeded"),
        (429, openai("insufficient_quota", "insufficient_quota"), Outcome.RATE_LIMITED, "insufficient_quota"),
        (429, openai(None, "credit_limit"), Outcome.RATE_LIMITED, "credit_limit"),
        (
            429,
            [{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}],
            Outcome.RATE_LIMITED,
            "RESOURCE_EXHAUSTED",
        ),
        (429, openai("rate_limit_error"), Outcome.RATE_LIMITED, "rate_limit_error"),
        (429, {"message": "m", "type": "x", "param": "y", "code": "z"}, Outcome.RATE_LIMITED, "z"),
        (502, "<html>Bad gateway</html>", Outcome.SERVER_ERROR, None),
        (503, "overloaded", Outcome.SERVER_ERROR, None),
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
            Outcome.SERVER_ERROR,
            "overloaded_error",
        ),
        (500, {"message": "m", "type": "server_error"}, Outcome.SERVER_ERROR, "server_error"),
        (408, "", Outcome.TIMEOUT, None),
        (409, "", Outcome.SERVER_ERROR, None),
        (401, openai("invalid_api_key"), Outcome.AUTH_ERROR, "invalid_api_key"),
        (401, {"error": {"code": "401", "message": "m"}}, Outcome.AUTH_ERROR, None),
        (
            401,
            {"error": {"message": "No cookie auth credentials found", "code": 401}},
            Outcome.AUTH_ERROR,
            None,
        ),
        (402, {"error": "You have depleted your credits"}, Outcome.AUTH_ERROR, None),
        (
            403,
            {"error": {"code": 403, "message": "m", "metadata": {"flagged_input": "x", "reasons": []}}},
            Outcome.CONTENT_FILTER,
            None,
        ),
        (403, openai(), Outcome.AUTH_ERROR, "invalid_request_error"),
        (404, openai("model_not_found"), Outcome.NOT_FOUND, "model_not_found"),
        (400, {"id": "x", **openai("model_not_available")}, Outcome.NOT_FOUND, "model_not_available"),
        (
            400,
            {"id": "x", **openai("dedicated_endpoint_not_running")},
            Outcome.NOT_FOUND,
            "dedicated_endpoint_not_running",
        ),
        (
            400,
            {"error": {"message": "m", "type": "invalid_model", "code": 400}},
            Outcome.NOT_FOUND,
            "invalid_model",
        ),
        (400, openai("unsupported_parameter"), Outcome.BAD_REQUEST, "unsupported_parameter"),
        (422, {"detail": "m"}, Outcome.BAD_REQUEST, None),
        (
            400,
            [{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}],
            Outcome.BAD_REQUEST,
            "INVALID_ARGUMENT",
        ),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "status": "INVALID_ARGUMENT",
                    "details": [{"reason": "API_KEY_INVALID"}],
                }
            },
            Outcome.AUTH_ERROR,
            "API_KEY_INVALID",
        ),
        (400, {"error": {"code": 400, "details": ["x", {"reason": 1}, None]}}, Outcome.BAD_REQUEST, None),
        (
            402,
            {"type": "error", "error": {"type": "billing_error", "message": "m"}},
            Outcome.AUTH_ERROR,
            "billing_error",
        ),
        (400, openai("content_filter"), Outcome.CONTENT_FILTER, "content_filter"),
        (400, openai("content_policy_violation"), Outcome.CONTENT_FILTER, "content_policy_violation"),
        (400, openai("context_length_exceeded"), Outcome.CONTEXT_LENGTH, "context_length_exceeded"),
        (400, {"error_type": "TOO_MANY_TOKENS", "message": "m"}, Outcome.CONTEXT_LENGTH, "TOO_MANY_TOKENS"),
        (
            400,
            {"error": {"code": 400, "type": "exceed_context_size_error", "message": "m"}},
            Outcome.CONTEXT_LENGTH,
            "exceed_context_size_error",
        ),
        (
            400,
            openai(None, message="prompt too long; exceeded max context length by 9"),
            Outcome.CONTEXT_LENGTH,
            "invalid_request_error",
        ),
        (
            400,
            openai(None, message="This model's maximum context length is 8192 tokens."),
            Outcome.CONTEXT_LENGTH,
            "invalid_request_error",
        ),
        (
            400,
            [
                {
                    "error": {
                        "code": 400,
                        "message": "The input token count (9) exceeds the maximum number of "
                        "tokens allowed (8).",
                    }
                }
            ],
            Outcome.CONTEXT_LENGTH,
            None,
        ),
        (413, "", Outcome.CONTEXT_LENGTH, None),
        (307, "", Outcome.PROTOCOL_ERROR, None),
        (400, "[" * 100_000, Outcome.BAD_REQUEST, None),
        (400, b"\xff\xfe\x00", Outcome.BAD_REQUEST, None),
        (400, [], Outcome.BAD_REQUEST, None),
    ],
)
def test_an_error_body_means(status: int, body: Any, outcome: Outcome, code: str | None) -> None:
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    failure = from_response(status, {}, data, now=NOW)
    assert (failure.outcome, failure.code, failure.status) == (outcome, code, status)


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        (
            {"error": {"code": "api_error", "message": "m", "type": "invalid_request_error"}},
            Outcome.SERVER_ERROR,
        ),
        ({"error": {"code": "overloaded_error", "type": "invalid_request_error"}}, Outcome.SERVER_ERROR),
        ({"error": {"code": "rate_limit_error", "type": "invalid_request_error"}}, Outcome.RATE_LIMITED),
        ({"choices": [], "error": {"code": 502, "message": "m", "metadata": {}}}, Outcome.SERVER_ERROR),
        ({"error": {"code": 429, "message": "m"}}, Outcome.RATE_LIMITED),
        ({"error": {"code": "tool_use_failed", "status_code": 400}}, Outcome.BAD_REQUEST),
        ({"error": {"message": "m"}}, Outcome.SERVER_ERROR),
        ({"error": "something"}, Outcome.SERVER_ERROR),
        (
            {"error": {"type": "invalid_request_error", "message": "prompt is too long"}},
            Outcome.CONTEXT_LENGTH,
        ),
        (None, Outcome.SERVER_ERROR),
    ],
)
def test_an_error_inside_a_good_answer_means(document: Any, outcome: Outcome) -> None:
    assert from_error(document, status=200).outcome is outcome


def test_what_a_provider_wrote_never_stands_in_the_error() -> None:
    body = json.dumps(openai("sk-live key with spaces!", message="Incorrect API key: sk-live-1234")).encode()
    failure = from_response(401, {}, body, now=NOW)
    assert "sk-live" not in f"{failure} {failure.detail} {failure.code}"


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("34s", 34.0), ("0.5s", 0.5), ("soon", None), (7, None), ("-1s", None), ("s", None)],
)
def test_google_says_in_the_body_how_long_to_wait(delay: Any, seconds: float | None) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    body = [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [info]}}]
    assert from_response(429, {}, json.dumps(body).encode(), now=NOW).retry_after == seconds


def test_the_time_to_wait_comes_with_the_error() -> None:
    failure = from_response(429, {"retry-after": "7"}, b"", now=NOW)
    assert failure.retry_after == 7.0
