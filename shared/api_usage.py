"""What the ledger's endpoints give, described for the OpenAPI page. `shared/usage.py` makes it."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from shared.api import Answer


class TimingAnswer(Answer):
    """Milliseconds; None where there was nothing to measure."""

    average: float | None
    p50: float | None
    p95: float | None


class FiguresAnswer(Answer):
    """Shares are from 0 to 1, and None of nothing."""

    calls: int = Field(description="Attempts at providers, failed and cancelled ones included")
    failures: int = Field(description="Calls that ended neither well nor by being cancelled")
    failure_share: float | None = Field(description="failures of calls")
    requests: int = Field(description="Told apart by their ids; one may make several calls")
    fallbacks: int = Field(description="Requests that another provider than the first one was asked for")
    fallback_share: float | None = Field(description="fallbacks of requests")
    hedges: int = Field(description="Calls made beside one that was slow to begin")
    repairs: int = Field(description="Calls that told a provider what was wrong with its answer")
    estimated: int = Field(description="Calls whose tokens we estimated, as the provider did not count")
    input_tokens: int
    output_tokens: int
    cached_tokens: int = Field(description="Of the input tokens, those read from the provider's cache")
    reasoning_tokens: int = Field(description="Of the output tokens, those that nobody sees")
    cost_usd: float | None = Field(description="The sum of the known costs; None: none is known")
    unknown_costs: int = Field(description="Calls whose cost is not known, and not in the sum")
    first_token_ms: TimingAnswer = Field(description="From a call's start to its first text")
    duration_ms: TimingAnswer = Field(description="Of calls that ended well, from start to end")
    tokens_per_second: float | None = Field(
        description="Output tokens of calls that ended well, over their whole time"
    )


class GroupAnswer(FiguresAnswer):
    """With a field for each name of group_by."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class UsageReportAnswer(Answer):
    time_range: str = Field(description="As it was asked for")
    since_seconds: float
    group_by: list[str]
    total: FiguresAnswer
    rows: list[GroupAnswer] = Field(description="In the order of the groups' names; none: nothing was asked")


class ModelFiguresAnswer(FiguresAnswer):
    model: str


class GatewayStatsAnswer(FiguresAnswer):
    gateway: str = Field(description="The provider")
    time_range: str = Field(description="As it was asked for")
    since_seconds: float
    models: list[ModelFiguresAnswer]
