"""Every error of Marginalia, and the HTTP answer of each.

    MarginaliaError
    ├── ConfigurationError            a variable is wrong; stops the start
    ├── ApiError                      has a status, a code and a type: what a client sees
    │   ├── InvalidRequest            400 invalid_request
    │   ├── ContextLengthExceeded     400 context_length_exceeded
    │   ├── ContentFiltered           400 content_filtered
    │   ├── Unauthenticated           401 unauthenticated
    │   ├── Forbidden                 403 forbidden
    │   ├── NotFound                  404 not_found
    │   ├── MethodNotAllowed          405 method_not_allowed
    │   ├── RevisionSuperseded        409 revision_superseded
    │   ├── TooLarge                  413 too_large
    │   ├── UnsupportedMediaType      415 unsupported_media_type
    │   ├── Unprocessable             422 unprocessable
    │   ├── RateLimited               429 rate_limited
    │   ├── InternalError             500 internal_error
    │   ├── AllProvidersFailed        502 all_providers_failed
    │   ├── MalformedOutput           502 malformed_output
    │   ├── NotConfigured             503 not_configured
    │   ├── StoreUnavailable          503 store_unavailable
    │   └── ProviderTimeout           504 provider_timeout
    └── ProviderError                 one attempt at one provider failed; never leaves `ai`

`shared/http.py` turns an ApiError into its answer; nothing else decides a status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from shared.types import JsonObject, Outcome


class MarginaliaError(Exception):
    """The root: catch it to catch everything we raise on purpose."""


class ConfigurationError(MarginaliaError):
    """A variable of the environment is wrong: its name, what was found, what is allowed."""

    def __init__(self, variable: str, message: str) -> None:
        super().__init__(f"{variable}: {message}")
        self.variable = variable


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """What a client may know of a failed attempt: no key, no prompt, no body."""

    provider: str
    model: str
    outcome: Outcome
    status: int | None = None
    code: str | None = None

    def to_json(self) -> JsonObject:
        return {
            "provider": self.provider,
            "model": self.model,
            "outcome": self.outcome.value,
            "status": self.status,
            "code": self.code,
        }


class ApiError(MarginaliaError):
    """An error with an HTTP answer in OpenAI's shape."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    type: ClassVar[str] = "invalid_request_error"
    spent: ClassVar[bool] = False  # asking again at once is in vain, though clients retry such statuses

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        attempts: Sequence[FailedAttempt] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.attempts = tuple(attempts)
        self.retry_after = retry_after  # seconds

    def to_json(self, request_id: str) -> JsonObject:
        body: JsonObject = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
            "request_id": request_id,
        }
        if self.attempts:
            body["attempts"] = [attempt.to_json() for attempt in self.attempts]
        return {"error": body}


class InvalidRequest(ApiError):
    status, code = 400, "invalid_request"


class ContextLengthExceeded(ApiError):
    status, code = 400, "context_length_exceeded"


class ContentFiltered(ApiError):
    status, code = 400, "content_filtered"


class Unauthenticated(ApiError):
    status, code, type = 401, "unauthenticated", "authentication_error"


class Forbidden(ApiError):
    status, code, type = 403, "forbidden", "permission_error"


class NotFound(ApiError):
    status, code, type = 404, "not_found", "not_found_error"


class MethodNotAllowed(ApiError):
    status, code = 405, "method_not_allowed"


class RevisionSuperseded(ApiError):
    status, code, type = 409, "revision_superseded", "conflict_error"
    spent = True


class TooLarge(ApiError):
    status, code = 413, "too_large"


class UnsupportedMediaType(ApiError):
    status, code = 415, "unsupported_media_type"


class Unprocessable(ApiError):
    status, code = 422, "unprocessable"


class RateLimited(ApiError):
    status, code, type = 429, "rate_limited", "rate_limit_error"


class InternalError(ApiError):
    status, code, type = 500, "internal_error", "server_error"


class AllProvidersFailed(ApiError):
    status, code, type = 502, "all_providers_failed", "upstream_error"
    spent = True


class MalformedOutput(ApiError):
    status, code, type = 502, "malformed_output", "upstream_error"
    spent = True


class NotConfigured(ApiError):
    status, code, type = 503, "not_configured", "server_error"
    spent = True


class StoreUnavailable(ApiError):
    status, code, type = 503, "store_unavailable", "server_error"


class ProviderTimeout(ApiError):
    status, code, type = 504, "provider_timeout", "upstream_error"
    spent = True


class ProviderError(MarginaliaError):
    """One attempt at one provider failed. `detail` is for us; a client sees FailedAttempt."""

    def __init__(
        self,
        outcome: Outcome,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        said: str = "",
        param: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.status = status
        self.code = code
        self.retry_after = retry_after  # seconds, as the provider asked
        # The provider's own words on a request it finds wrong: only for the one who wrote the request.
        self.said = said
        self.param = param
