"""One request over several attempts, as a state machine: fed with frames and failures, no I/O.

    ask = failover.begin()
    each batch of frames  ->  failover.accept(frames) gives what the caller may see
    the answer is whole   ->  failover.conclude() gives what was still held back
    the attempt failed    ->  failover.failed(error, …) gives the next Ask, or raises what the caller gets

Nothing is shown before something real has come: a provider that fails early leaves no trace in the
stream. A provider that dies later is followed by another, whose text is joined to what was sent
(`seam.py`), or replaces it after a Reset. When nobody is left, one whose failure may have passed is
asked once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.ai.breaker import Health
from shared.ai.frames import Frame
from shared.ai.payload import Repair, can_be_joined, may_go_on, repaired, wants_usage
from shared.ai.retry import Budget, Move, Standing, backoff, decide, may_pass
from shared.ai.seam import Joined, Seam, prefill_of
from shared.ai.verdict import verdict
from shared.errors import (
    ApiError,
    FailedAttempt,
    InvalidRequest,
    NotConfigured,
    ProviderError,
)
from shared.providers import Target
from shared.settings import Limits
from shared.types import (
    Cause,
    ChatRequest,
    Outcome,
    Reset,
    StreamEvent,
    StreamStart,
    Switch,
    TextDelta,
    Verbatim,
)


@dataclass(slots=True)
class Ask:
    """One attempt to make."""

    target: Target
    request: ChatRequest
    wait: float = 0.0  # seconds before it is made
    prefill: str = ""  # the beginning of the answer that the provider is to go on from
    verbatim: bool = False  # its events are given on as they come
    cause: Cause = Cause.FIRST


ContextLength: TypeAlias = Callable[[Target], int | None]  # tokens; None: not known


class Failover:
    """Raises NotConfigured without targets. The budget is in the same clock as the `now` of `failed`.

    A target that is at rest is passed over, and probed only when nobody else is left.
    """

    _begun = 0  # attempts
    _retry_after: float | None = None
    _shown: Target | None = None  # whose text the caller has
    _reason = ""  # why that one was left
    _drop_text = False
    _seam: Seam | None = None
    _announced = False  # the attempt under way has shown something
    _tries = 0  # at the target asked now
    _repaired = _no_prefill = False  # the target asked now had its repair round, has refused a prefill

    def __init__(
        self,
        request: ChatRequest,
        targets: Sequence[Target],
        limits: Limits,
        *,
        budget: Budget,
        health: Health,
        context_length: ContextLength = lambda _: None,
    ) -> None:
        if not targets:
            raise NotConfigured("no provider is configured for this task")
        self.deadline = budget.deadline
        self._request = request
        self._limits = limits
        self._health = health
        self._context_length = context_length
        self._first = targets[0]
        self._waiting = list(targets)  # not asked yet
        self._worth_more: list[Target] = []  # asked, and what was wrong may pass
        self._budget = budget
        self._unasked = len(targets)  # attempts that need not be spared
        self._failures: list[FailedAttempt] = []
        self._text: list[str] = []
        self._held: list[Frame] = []  # of this attempt, to be given on once it has something to say
        self._verbatim = request.passthrough is not None
        self._ask: Ask  # the attempt under way, or the one that failed last

    @property
    def text(self) -> str:
        """What the caller has, all in all."""
        return "".join(self._text)

    @property
    def asked(self) -> Target:
        """The target of the attempt under way, or of the one that failed last."""
        return self._ask.target

    @property
    def _hides_usage(self) -> bool:  # which always comes, as we ask for it
        asked = self._request.passthrough
        return asked is not None and not wants_usage(asked.body)

    def begin(self) -> Ask:
        """The first attempt. Raises AllProvidersFailed when no target may be asked."""
        return self._next_target()

    def accept(self, frames: Sequence[Frame]) -> list[StreamEvent]:
        """What the caller sees of these frames: all of them in one piece, or nothing yet."""
        if self._verbatim:
            return self._pass_on(frames)
        text = frames[0].text if len(frames) == 1 else "".join([frame.text for frame in frames])
        if not text:
            return []
        if self._announced:
            self._text.append(text)
            return [TextDelta(text)]
        joined = Joined(text) if self._seam is None else self._seam.feed(text)
        return [] if joined is None else self._show(joined)

    def conclude(self) -> list[StreamEvent]:
        """What was held back, now that the answer is whole.

        Raises ProviderError when it is empty although the caller has text: that is no answer.
        """
        if self._announced:
            return []
        if self._verbatim:
            return self._open()
        joined = Joined("") if self._seam is None else self._seam.close()
        if joined is None:
            raise ProviderError(Outcome.PROTOCOL_ERROR, "an empty answer after a broken one", status=200)
        return self._show(joined)

    def failed(self, error: ProviderError, *, now: float, chance: float, repair: Repair | None = None) -> Ask:
        """The next attempt, after this one failed. Raises the ApiError when there is none.

        `repair` comes with an answer that was whole and not what was asked for: the same target is
        told so, once.
        """
        self._note(error)
        if error.outcome is Outcome.CONTEXT_LENGTH:
            self._waiting.sort(key=self._room)
        if self._is_final(error):
            raise self._give_up(error.outcome, error)
        if self._ask.prefill and error.outcome is Outcome.BAD_REQUEST and self._attempts_left > 0:
            self._no_prefill = True
            return self._ask_again(0.0)
        if repair is not None:
            return self._after_malformed(repair, now)
        decision = decide(error, self._standing(now), chance=chance)
        if decision.move is Move.AGAIN:
            return self._ask_again(decision.wait)
        if decision.move is Move.NEXT or (not decision.final and self._probe()):
            return self._next_target()
        if not decision.final and self._worth_more:
            back = min(self._worth_more, key=self._health.rest_left)
            wait = max(backoff(1, chance), self._health.rest_left(back))
            if wait < self.deadline - now:
                self._tries, self._no_prefill = 1, False
                return self._asking(back, self._request, wait, Cause.RETRY)
        raise self._give_up(error.outcome)

    # --- hedging -------------------------------------------------------------------------------

    @property
    def left(self) -> int:
        """How many targets have not been asked."""
        return len(self._waiting)

    def hedge(self, *, overdue: bool) -> Ask | None:
        """One more attempt beside those under way, for who speaks first.

        Never at a target at rest, unless those under way are `overdue`.
        """
        if self._shown is not None or self._attempts_left < 1:
            return None
        target = next(filter(self._health.admits, self._waiting), None)
        if target is None and overdue:
            target = self._probe()
        if target is None:
            return None
        self._waiting.remove(target)
        self._spend(again=False)
        return Ask(target, self._request, verbatim=self._verbatim, cause=Cause.HEDGE)

    def lost(self, ask: Ask, error: ProviderError) -> None:
        """One of two attempts has failed, while the other still runs."""
        self._failures.append(_failed(ask.target, error))

    def chosen(self, ask: Ask, *, over: Sequence[Ask]) -> None:
        """This is the attempt under way now. The targets of those that were cancelled may be asked later."""
        if ask.target is not self._ask.target:
            self._tries, self._repaired, self._no_prefill = 1, False, False
        self._ask = ask
        self._waiting += [other.target for other in over]

    # --- showing -------------------------------------------------------------------------------

    def _show(self, joined: Joined) -> list[StreamEvent]:
        events = self._announce()
        if joined.reset or self._drop_text:
            self._text.clear()
            self._drop_text = False
            events.append(Reset())
        if joined.text:
            self._text.append(joined.text)
            events.append(TextDelta(joined.text))
        self._seam = None
        return events

    def _announce(self) -> list[StreamEvent]:
        """Who speaks, the first time an attempt shows something."""
        self._announced = True
        before, now = self._shown, self._ask.target
        self._shown = now
        if before is None:
            return [StreamStart(now.provider.name, now.model)]
        if (before.provider.name, before.model) == (now.provider.name, now.model):
            return []
        return [Switch(before.provider.name, now.provider.name, now.model, self._reason)]

    def _pass_on(self, frames: Sequence[Frame]) -> list[StreamEvent]:
        """Frames as they came; the text is kept, in case that another provider must go on from it."""
        if len(frames) == 1 and self._announced:  # short, as there are so many
            frame = frames[0]
            if frame.text:
                self._text.append(frame.text)
            hidden = not frame.raw or (frame.counts_only and self._hides_usage)
            return [] if hidden else [Verbatim((frame.raw,), frame.finish is not None)]
        self._text.extend([frame.text for frame in frames if frame.text])
        if self._announced:
            return self._as_they_came(frames)
        self._held.extend(frames)
        speaks = [frame for frame in frames if frame.raw and (frame.alive or frame.finish)]
        return self._open() if speaks else []

    def _open(self) -> list[StreamEvent]:
        held, self._held = self._held, []
        return [*self._announce(), *self._as_they_came(held)]

    def _as_they_came(self, frames: Sequence[Frame]) -> list[StreamEvent]:
        """Without the usage, when we asked for it and the caller did not."""
        raw = tuple([f.raw for f in frames if f.raw and not (f.counts_only and self._hides_usage)])
        return [Verbatim(raw, any(f.finish for f in frames))] if raw else []

    # --- deciding ------------------------------------------------------------------------------

    @property
    def _attempts_left(self) -> int:
        return self._unasked + self._budget.spare

    def _spend(self, *, again: bool) -> None:
        self._begun += 1
        if self._budget.spare > 0 and (again or not self._unasked):
            self._budget.spare -= 1
        else:
            self._unasked -= 1

    def _room(self, target: Target) -> int:
        """Its place after a text was too long: known to take more, not known, known not to take more."""
        known = self._context_length(target)
        if known is None:
            return 1
        return 0 if known > (self._context_length(self._ask.target) or 0) else 2

    def _note(self, error: ProviderError) -> None:
        target = self._ask.target
        self._failures.append(_failed(target, error))
        if target in self._worth_more:
            self._worth_more.remove(target)
        if may_pass(error):
            self._worth_more.append(target)
        if error.retry_after is not None:
            self._retry_after = min(error.retry_after, self._retry_after or error.retry_after)
        if self._announced:
            self._reason = error.outcome.value

    def _standing(self, now: float) -> Standing:
        return Standing(
            tries=self._tries,
            attempts_left=self._attempts_left,
            targets_left=sum(map(self._health.admits, self._waiting)),
            time_left=self.deadline - now,
            max_wait=self._limits.max_retry_wait,
            output_sent=self._shown is not None,
        )

    def _after_malformed(self, repair: Repair, now: float) -> Ask:
        self._drop_text = bool(self._text)
        self._text.clear()
        standing = self._standing(now)
        if standing.time_left > 0:
            if not self._repaired and standing.attempts_left > standing.targets_left:
                self._repaired = True
                return self._ask_again(0.0, repaired(self._request, repair))
            if standing.targets_left and standing.attempts_left > 0:
                return self._next_target()
        raise self._give_up(Outcome.MALFORMED_OUTPUT)

    def _next_target(self) -> Ask:
        target = next(filter(self._health.admits, self._waiting), None) or self._probe()
        if target is None:
            raise self._all_at_rest()
        self._waiting.remove(target)
        self._tries, self._repaired, self._no_prefill = 0, False, False
        again = Cause.RETRY if self._begun else Cause.FIRST
        cause = again if target is self._first else Cause.FALLBACK
        return self._asking(target, self._request, 0.0, cause)

    def _probe(self) -> Target | None:
        """A target at rest that may be tried all the same."""
        return next(filter(self._health.admits_probe, self._waiting), None)

    def _ask_again(self, wait: float, request: ChatRequest | None = None) -> Ask:
        cause = Cause.REPAIR if request else Cause.RETRY
        return self._asking(self._ask.target, request or self._ask.request, wait, cause)

    def _asking(self, target: Target, request: ChatRequest, wait: float, cause: Cause) -> Ask:
        self._tries += 1
        self._announced = False
        self._held.clear()
        if self._shown is not None:
            self._verbatim = False  # what follows is ours: the rest of another provider's answer
        prefill, self._seam = "", None
        if self._text:
            prefill = self._prefill(target, request)
            self._seam = Seam(self.text, prefill=prefill)
        self._spend(again=self._tries > 1)
        self._ask = Ask(target, request, wait, prefill, self._verbatim, cause)
        return self._ask

    def _prefill(self, target: Target, request: ChatRequest) -> str:
        """What was sent, for a provider that goes on from it; an attempt must be left if it refuses.

        Never for JSON: an object is made anew and checked as a whole.
        """
        accepted = target.provider.accepts_prefill and not self._no_prefill
        if not (accepted and self._attempts_left > 1 and may_go_on(request)):
            return ""
        return prefill_of(self.text)

    def _all_at_rest(self) -> ApiError:
        """Nothing was asked: every target has a probe under way already."""
        self._failures = [
            FailedAttempt(target.provider.name, target.model, Outcome.SERVER_ERROR, code="resting")
            for target in self._waiting
        ]
        self._retry_after = min(map(self._health.rest_left, self._waiting))
        return self._give_up(None)

    def _is_final(self, error: ProviderError) -> bool:
        """Whether a request that is passed through has its answer by this error.

        What the named provider finds wrong in it is for its writer to mend, and what is more than one
        text cannot be joined.
        """
        asked = self._request.passthrough
        if asked is None:
            return False
        named = self._ask.target.provider.name == asked.provider
        wrong = error.outcome is Outcome.BAD_REQUEST and named and not self._ask.prefill
        return wrong or (self._shown is not None and not can_be_joined(asked.body))

    def _give_up(self, last: Outcome | None, error: ProviderError | None = None) -> ApiError:
        outcomes = {failure.outcome for failure in self._failures}
        if (
            self._request.passthrough is not None
            and error is not None
            and error.outcome is Outcome.BAD_REQUEST
        ):
            return InvalidRequest(
                error.said or "the provider finds the request wrong",
                param=error.param,
                attempts=self._failures,
            )
        kind, message = verdict(outcomes, last, passed_through=self._request.passthrough is not None)
        return kind(message, attempts=self._failures, retry_after=self._retry_after)


def _failed(target: Target, error: ProviderError) -> FailedAttempt:
    return FailedAttempt(target.provider.name, target.model, error.outcome, error.status, error.code)
