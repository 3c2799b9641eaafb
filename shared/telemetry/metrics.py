"""Counts and histograms of this process, and Prometheus' text of them.

Observing is a dictionary's look-up and an addition, as each request and each attempt does it. What a
label may hold is bounded: routes are templates, and callers' model names are counted one by one only
for models that are configured or have answered, MAX_MODELS of them.

The text: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from shared.types import Attempt, Outcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_MODELS = 100  # beside those that are configured
OTHER = "other"

# Seconds. Most requests and first tokens take 5 ms to 10 s; a whole answer may take a minute.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

Labels: TypeAlias = tuple[str, ...]  # their values, in the order of the family's names
Values: TypeAlias = Iterable[tuple[Labels, float]]


class Histogram:
    """How many values lie at or below each bound, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class ModelTally:
    """What one task used of one model."""

    outcomes: dict[Outcome, int] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    cost_unknown: int = 0  # attempts that used tokens at a price nobody knows
    duration: Histogram = field(default_factory=Histogram)
    first_token: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    read: Callable[[], Values]


class Metrics:
    """`models` are the configured ones, as provider and model."""

    def __init__(self, models: Iterable[tuple[str, str]] = ()) -> None:
        self.in_flight = 0
        self.open_streams = 0
        self._models = set(models)
        self._room = len(self._models) + MAX_MODELS
        self._requests: dict[tuple[str, str, int], int] = {}  # method, route, status
        self._durations: dict[str, Histogram] = {}  # by route
        self._tallies: dict[tuple[str, str, str], ModelTally] = {}  # task, provider, model
        self._causes: dict[tuple[str, str, str], int] = {}  # task, provider, cause
        self._gauges: list[Family] = []

    def watch(self, name: str, help: str, labels: tuple[str, ...], read: Callable[[], Values]) -> None:
        """A gauge that is read whenever somebody asks for the text."""
        self._gauges.append(Family(name, "gauge", help, labels, read))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        durations = self._durations.get(route)
        if durations is None:
            durations = self._durations[route] = Histogram()
        durations.observe(seconds)

    def attempt(self, row: Attempt) -> str:
        """Gives the model's label."""
        label = row.model if (row.provider, row.model) in self._models else self._model_label(row)
        key = (row.task, row.provider, label)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = ModelTally()
        tally.outcomes[row.outcome] = tally.outcomes.get(row.outcome, 0) + 1
        caused = (row.task, row.provider, row.cause)
        self._causes[caused] = self._causes.get(caused, 0) + 1
        tally.duration.observe(row.duration_ms / 1000)
        if row.first_token_ms is not None:
            tally.first_token.observe(row.first_token_ms / 1000)
        usage = row.usage
        tally.input_tokens += usage.input_tokens
        tally.output_tokens += usage.output_tokens
        if usage.cached_tokens or usage.reasoning_tokens:
            tally.cached_tokens += usage.cached_tokens
            tally.reasoning_tokens += usage.reasoning_tokens
        if row.cost_usd is not None:
            tally.cost_usd += float(row.cost_usd)
        elif usage.input_tokens or usage.output_tokens:
            tally.cost_unknown += 1
        return label

    def _model_label(self, row: Attempt) -> str:
        """Of a model that is new: its name, or `other` for one too many, or one that nobody answers for."""
        if row.outcome is not Outcome.OK or len(self._models) >= self._room:
            return OTHER
        self._models.add((row.provider, row.model))
        return row.model

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        lines: list[str] = []
        for family in (*self._counters(), *self._process(), *self._gauges):
            lines += _head(family.name, family.kind, family.help)
            lines += [_sample(family.name, family.labels, *value) for value in family.read()]
        lines += _histogram(
            "marginalia_request_duration_seconds",
            "Time from a request's first byte to its answer's last, streams included.",
            ("route",),
            [((route,), one) for route, one in self._durations.items()],
        )
        model = ("task", "provider", "model")
        tallies = self._tallies.items()
        lines += _histogram(
            "marginalia_attempt_duration_seconds",
            "Time that one request to a provider took, however it ended.",
            model,
            [(key, tally.duration) for key, tally in tallies],
        )
        lines += _histogram(
            "marginalia_first_token_seconds",
            "Time to the first token of an attempt that brought text.",
            model,
            [(key, tally.first_token) for key, tally in tallies],
        )
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")

    def _counters(self) -> Iterator[Family]:
        model = ("task", "provider", "model")
        yield Family(
            "marginalia_requests_total",
            "counter",
            "Requests that were answered; 499 is a client that left.",
            ("method", "route", "status"),
            lambda: [
                ((method, route, str(status)), n) for (method, route, status), n in self._requests.items()
            ],
        )
        yield Family(
            "marginalia_attempts_total",
            "counter",
            "Requests to providers, by how they ended.",
            (*model, "outcome"),
            lambda: [
                ((*key, outcome.value), n)
                for key, one in self._tallies.items()
                for outcome, n in one.outcomes.items()
            ],
        )
        yield Family(
            "marginalia_attempts_by_cause_total",
            "counter",
            "Requests to providers, by why they were made: first, retry, fallback, hedge, repair.",
            ("task", "provider", "cause"),
            self._causes.items,
        )
        yield Family(
            "marginalia_tokens_total",
            "counter",
            "Tokens of attempts; cached ones are among the input, reasoning ones among the output.",
            (*model, "kind"),
            self._tokens,
        )
        yield Family(
            "marginalia_cost_usd_total",
            "counter",
            "Cost of the attempts whose price is known.",
            model,
            lambda: [(key, one.cost_usd) for key, one in self._tallies.items()],
        )
        yield Family(
            "marginalia_attempts_of_unknown_cost_total",
            "counter",
            "Attempts that used tokens whose price is not known.",
            model,
            lambda: [(key, one.cost_unknown) for key, one in self._tallies.items()],
        )

    def _tokens(self) -> Values:
        for key, one in self._tallies.items():
            yield (*key, "input"), one.input_tokens
            yield (*key, "output"), one.output_tokens
            yield (*key, "cached"), one.cached_tokens
            yield (*key, "reasoning"), one.reasoning_tokens

    def _process(self) -> Iterator[Family]:
        yield Family(
            "marginalia_requests_in_flight",
            "gauge",
            "Requests that are being answered now.",
            (),
            lambda: [((), self.in_flight)],
        )
        yield Family(
            "marginalia_open_streams",
            "gauge",
            "Streams of events that are open now.",
            (),
            lambda: [((), self.open_streams)],
        )


def _head(name: str, kind: str, help: str) -> list[str]:
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]


def _sample(name: str, labels: tuple[str, ...], values: Labels, value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(one)}"' for label, one in zip(labels, values, strict=True))
    return f"{name}{{{pairs}}} {value!r}" if pairs else f"{name} {value!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _histogram(
    name: str, help: str, labels: tuple[str, ...], observed: Sequence[tuple[Labels, Histogram]]
) -> list[str]:
    lines = _head(name, "histogram", help)
    for values, one in observed:
        below = 0
        for bound, count in zip((*map(repr, SECONDS), "+Inf"), one.counts, strict=True):
            below += count
            lines.append(_sample(f"{name}_bucket", (*labels, "le"), (*values, bound), below))
        lines.append(_sample(f"{name}_sum", labels, values, one.total))
        lines.append(_sample(f"{name}_count", labels, values, below))
    return lines
