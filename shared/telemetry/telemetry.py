"""What one process observes by: the one place that requests and attempts are told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.providers import Target
from shared.settings import Settings
from shared.telemetry.current import TraceContext
from shared.telemetry.metrics import OTHER, Metrics
from shared.telemetry.spans import Said, ServerSpan, Spans, open_spans
from shared.types import Attempt, Message

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Telemetry:
    metrics: Metrics
    spans: Spans | None
    _said: dict[str, Said] = field(default_factory=dict)  # by attempt, until its row comes

    def begin(
        self, method: str, scheme: str, path: str, request_id: str, caller: TraceContext | None
    ) -> ServerSpan | None:
        """A request has come; `caller` is its place in its sender's trace. `end` must follow."""
        self.metrics.in_flight += 1
        if self.spans is None:
            return None
        return self.spans.begin(_known(method), scheme, path, request_id, caller)

    def end(
        self,
        begun: ServerSpan | None,
        method: str,
        scheme: str,
        route: str | None,
        status: int,
        seconds: float,
    ) -> None:
        """`route` is the path's template, None where no route has it."""
        known = _known(method)
        self.metrics.in_flight -= 1
        self.metrics.request(known, route or OTHER, status, seconds)
        if self.spans is not None and begun is not None:
            self.spans.end(begun, known, scheme, route, status, seconds)

    def attempt(self, row: Attempt) -> None:
        """One request to a provider has ended."""
        label = self.metrics.attempt(row)
        if self.spans is not None:
            self.spans.attempt(row, label, self._said.pop(row.attempt_id, None))

    @property
    def captures(self) -> bool:
        """Whether `said` is to be called."""
        return self.spans is not None and self.spans.capture

    def said(self, row: Attempt, messages: Sequence[Message], text: str) -> None:
        """What the attempt, whose row comes next, was asked and has answered."""
        self._said[row.attempt_id] = Said(messages, text)


def open_telemetry(settings: Settings) -> Telemetry:
    """Metrics always; spans where an OpenTelemetry SDK is set up."""
    targets = _targets(settings)
    metrics = Metrics((target.provider.name, target.model) for target in targets)
    addresses = {target.provider.name: target.base_url for target in targets}
    return Telemetry(metrics, open_spans(addresses, capture=settings.capture_content))


def _targets(settings: Settings) -> list[Target]:
    named = [target for tiers in settings.access.values() for target in tiers.values()]
    for config in settings.tasks.values():
        for chain in config.targets.values():
            named += chain
    if settings.embedding.target is not None:
        named.append(settings.embedding.target)
    return named


def _known(method: str) -> str:
    """A bounded label, as the conventions say it."""
    return method if method in _METHODS else "_OTHER"
