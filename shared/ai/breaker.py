"""Which providers rest: a circuit breaker for each provider and model. Pure, with the clock passed in.

    CLOSED     asked as usual; too many failures, or a provider's own word (Retry-After), open it
    OPEN       at rest: passed over while another target is left
    HALF_OPEN  the rest is over: one probe at a time; one that speaks closes it, a bad one doubles the rest

A probe is also let through before the rest is over when a request has nobody else to ask: so the
only provider there is gets one request at a time, and its recovery is seen at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from shared.ai.retry import DEADLINE
from shared.providers import Target
from shared.types import Attempt, Outcome

_MAX_KEPT = 1024  # breakers; a gateway's callers may name any model


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_LEVELS = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


@dataclass(frozen=True, slots=True)
class Policy:
    """When a breaker opens, and for how long. Times in seconds."""

    consecutive_failures: int = 5
    failure_rate: float = 0.5
    least_calls: int = 20  # before the rate says anything
    window: float = 60.0
    first_rest: float = 5.0  # doubled with each bad probe
    max_rest: float = 60.0
    max_asked_rest: float = 300.0  # a provider that asks for longer is tried again then


_FAILURES = frozenset(
    {
        Outcome.CONNECT_ERROR,
        Outcome.TIMEOUT,
        Outcome.RATE_LIMITED,
        Outcome.SERVER_ERROR,
        Outcome.CUT,
        Outcome.PROTOCOL_ERROR,
    }
)


class Trial:
    """One attempt as its breaker sees it: `heard()` when it speaks, then `settle()`, once.

    A stream that speaks is a sign of health long before it ends, and failures come sooner than ends do:
    a breaker that waited for ends would open on the first few failures of a burst.
    """

    __slots__ = ("_breaker", "_clock", "good", "when")

    def __init__(self, breaker: Breaker, clock: Callable[[], float]) -> None:
        self.good: bool | None = None  # None: nothing is known yet
        self.when = 0.0  # seconds, when it became so
        self._breaker = breaker
        self._clock = clock

    def heard(self) -> None:
        """The provider has begun to speak."""
        self._breaker.hear(self, self._clock())

    def settle(self, row: Attempt) -> None:
        """The attempt is over, and this is its row."""
        if row.outcome is Outcome.CANCELLED or row.code == DEADLINE:
            self._breaker.give_up(self)
        elif row.outcome in _FAILURES:
            self._breaker.fail(self, self._clock())
        else:
            self._breaker.succeed(self, self._clock())


class Breaker:
    """One provider's model."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._known: deque[Trial] = deque(maxlen=4 * policy.least_calls)  # as they became good or bad
        self._rest_until: float | None = None  # None: closed
        self._rest = policy.first_rest
        self._probe: Trial | None = None  # under way, and not heard yet
        self._closed_by: Trial | None = None  # a probe that spoke, and is under way

    def state(self, now: float) -> State:
        if self._rest_until is None:
            return State.CLOSED
        return State.OPEN if now < self._rest_until else State.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Whether a request may go here as a matter of course."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.HALF_OPEN and self._probe is None)

    @property
    def admits_probe(self) -> bool:
        """Whether a request with nobody else to ask may go here."""
        return self._rest_until is None or self._probe is None

    def rest_left(self, now: float) -> float:
        return 0.0 if self._rest_until is None else max(0.0, self._rest_until - now)

    def begin(self, trial: Trial) -> None:
        """A request goes out: a probe, unless closed."""
        if self._rest_until is not None and self._probe is None:
            self._probe = trial

    def hear(self, trial: Trial, now: float) -> None:
        if trial is self._probe:
            self._probe, self._closed_by, self._rest_until = None, trial, None
            self._known.clear()
        if trial.good is None:
            trial.good, trial.when = True, now
            self._known.append(trial)

    def succeed(self, trial: Trial, now: float) -> None:
        self.hear(trial, now)
        self.give_up(trial)

    def fail(self, trial: Trial, now: float) -> None:
        """Also of one that was heard: it counts as bad then, and not as good."""
        if trial.good is None:
            self._known.append(trial)
        trial.good, trial.when = False, now
        if trial is self._probe or trial is self._closed_by:
            if trial is self._probe:
                self._probe = None
            else:
                self._closed_by = None
            self._rest = min(self._policy.max_rest, self._rest * 2)
            self._open(now + self._rest)
        elif self._rest_until is None and self._too_many(now):
            self._open(now + self._rest)

    def give_up(self, trial: Trial) -> None:
        """An attempt ended without saying anything more about the provider."""
        if trial is self._probe:
            self._probe = None
        elif trial is self._closed_by:
            self._closed_by, self._rest = None, self._policy.first_rest

    def rest(self, seconds: float, now: float) -> None:
        """The provider itself asked not to be asked for so long."""
        self._open(now + min(seconds, self._policy.max_asked_rest))

    def _open(self, until: float) -> None:
        self._rest_until = max(until, self._rest_until or until)

    def _too_many(self, now: float) -> bool:
        policy, known = self._policy, self._known
        if len(known) >= policy.consecutive_failures and not any(
            trial.good for trial in islice(reversed(known), policy.consecutive_failures)
        ):
            return True
        recent = [trial.good for trial in known if now - trial.when <= policy.window]
        bad = recent.count(False)
        return len(recent) >= policy.least_calls and bad >= policy.failure_rate * len(recent)


_Key: TypeAlias = tuple[str, str, str, str | None]


class Health:
    """The breakers of all targets. The same model behind another address or key is another target."""

    def __init__(self, clock: Callable[[], float], policy: Policy | None = None) -> None:
        self._clock = clock
        self._policy = policy or Policy()
        self._breakers: dict[_Key, Breaker] = {}

    def admits(self, target: Target) -> bool:
        """Whether it may be asked as a matter of course."""
        breaker = self._breakers.get(_key(target))
        return breaker is None or breaker.admits(self._clock())

    def admits_probe(self, target: Target) -> bool:
        """Whether it may be asked when nobody else is left."""
        breaker = self._breakers.get(_key(target))
        return breaker is None or breaker.admits_probe

    def rest_left(self, target: Target) -> float:
        """Seconds until it may be asked again."""
        breaker = self._breakers.get(_key(target))
        return 0.0 if breaker is None else breaker.rest_left(self._clock())

    def state(self, target: Target) -> State:
        breaker = self._breakers.get(_key(target))
        return State.CLOSED if breaker is None else breaker.state(self._clock())

    def begin(self, target: Target) -> Trial:
        """A request goes out."""
        breaker = self._breaker(target)
        trial = Trial(breaker, self._clock)
        breaker.begin(trial)
        return trial

    def worst(self) -> list[tuple[tuple[str, str], float]]:
        """For each provider and model how it stands, over all keys and addresses: 0 closed to 2 open."""
        now = self._clock()
        found: dict[tuple[str, str], float] = {}
        for (provider, model, *_), breaker in self._breakers.items():
            level = _LEVELS[breaker.state(now)]
            found[provider, model] = max(level, found.get((provider, model), 0))
        return list(found.items())

    def rest(self, target: Target, seconds: float) -> None:
        self._breaker(target).rest(seconds, self._clock())

    def _breaker(self, target: Target) -> Breaker:
        key = _key(target)
        breaker = self._breakers.get(key)
        if breaker is None:
            if len(self._breakers) >= _MAX_KEPT:
                self._breakers.pop(next(iter(self._breakers)))
            breaker = self._breakers[key] = Breaker(self._policy)
        return breaker


def _key(target: Target) -> _Key:
    return (target.provider.name, target.model, target.base_url, target.api_key)
