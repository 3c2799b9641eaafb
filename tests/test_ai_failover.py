"""The state machine by itself: what a caller sees, frame by frame, without any I/O."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from shared.ai.breaker import Health
from shared.ai.failover import Failover
from shared.ai.frames import Frame
from shared.ai.payload import Repair
from shared.ai.retry import SILENCE, Budget
from shared.errors import AllProvidersFailed, ProviderError
from shared.providers import PROVIDERS, Target
from shared.settings import Limits
from shared.types import ChatRequest, Message, Outcome, Reset, StreamStart, Switch, TextDelta

REQUEST = ChatRequest((Message("user", "Hi"),))
A = Target(PROVIDERS["together"], "model-a", "http://127.0.0.1:1", "k")
B = Target(replace(PROVIDERS["openai"], accepts_prefill=False), "model-b", "http://127.0.0.1:2", "k")
CUT = ProviderError(Outcome.CUT, "x")


def failover(
    *targets: Target, context_length: Mapping[str, int] | None = None, health: Health | None = None
) -> Failover:
    return Failover(
        REQUEST,
        targets or (A, B),
        Limits(),
        budget=Budget(deadline=60.0, spare=2),
        health=health or Health(lambda: 0.0),
        context_length=lambda target: (context_length or {}).get(target.model),
    )


def test_nothing_is_shown_before_something_real_has_come() -> None:
    machine = failover()
    assert machine.begin().target is A
    assert machine.accept([Frame(), Frame(alive=True)]) == []
    assert machine.accept([Frame("Hel"), Frame("lo")]) == [
        StreamStart("together", "model-a"),
        TextDelta("Hello"),
    ]
    assert machine.accept([Frame(" you")]) == [TextDelta(" you")]
    assert machine.conclude() == []


def test_an_empty_answer_still_says_who_gave_it() -> None:
    machine = failover()
    machine.begin()
    assert machine.conclude() == [StreamStart("together", "model-a")]


def test_the_switch_is_said_when_the_next_one_has_something_to_say() -> None:
    machine = failover()
    machine.begin()
    machine.accept([Frame("Hello")])
    ask = machine.failed(CUT, now=0.0, chance=0.5)
    assert (ask.target, ask.wait) == (B, 0.0)
    assert machine.accept([Frame("Hel")]) == []
    assert machine.accept([Frame("lo you")]) == [
        Switch("together", "openai", "model-b", "cut"),
        TextDelta(" you"),
    ]
    assert machine.text == "Hello you"


def test_an_empty_answer_after_a_broken_one_is_none() -> None:
    machine = failover()
    machine.begin()
    machine.accept([Frame("Hello")])
    machine.failed(CUT, now=0.0, chance=0.5)
    with pytest.raises(ProviderError):
        machine.conclude()


def test_an_answer_of_the_wrong_form_is_taken_back_before_the_repaired_one_is_shown() -> None:
    machine = failover(A)
    machine.begin()
    machine.accept([Frame("nonsense")])
    wrong = ProviderError(Outcome.MALFORMED_OUTPUT, "x")
    ask = machine.failed(wrong, now=0.0, chance=0.5, repair=Repair("nonsense", "not JSON"))
    assert [message.role for message in ask.request.messages] == ["user", "assistant", "user"]
    assert machine.accept([Frame("{}")]) == [Reset(), TextDelta("{}")]
    assert machine.text == "{}"


@pytest.mark.parametrize(
    ("known", "order"),
    [
        ({}, "abcd"),
        ({"a": 8_000, "b": 4_000, "d": 128_000}, "adcb"),
        ({"a": 8_000, "b": 32_000, "c": 128_000}, "abcd"),
        ({"a": 8_000, "b": 8_000, "c": 8_000}, "adbc"),
        ({"b": 4_000}, "abcd"),
    ],
)
def test_a_text_that_is_too_long_goes_to_a_model_that_takes_more(known: dict[str, int], order: str) -> None:
    targets = [replace(A, provider=replace(A.provider, name=name), model=name) for name in "abcd"]
    machine = failover(*targets, context_length=known)
    asked = [machine.begin()]
    for _ in targets[1:]:
        too_long = ProviderError(Outcome.CONTEXT_LENGTH, "x", status=400)
        asked.append(machine.failed(too_long, now=0.0, chance=0.5))
    assert "".join(ask.target.model for ask in asked) == order


SILENT = ProviderError(Outcome.TIMEOUT, "x", code=SILENCE)


def test_one_that_broke_off_goes_on_when_the_next_one_is_silent() -> None:
    machine = failover()
    machine.begin()
    machine.accept([Frame("Hello")])
    assert machine.failed(CUT, now=0.0, chance=0.5).target is B
    back = machine.failed(SILENT, now=3.0, chance=0.5)
    assert (back.target, back.wait) == (A, 0.5)
    assert machine.accept([Frame("Hello you")]) == [TextDelta(" you")]
    assert machine.text == "Hello you"


def test_a_silent_one_is_not_asked_again_when_nobody_else_helps() -> None:
    machine = failover()
    machine.begin()
    assert machine.failed(SILENT, now=3.0, chance=0.5).target is B
    with pytest.raises(AllProvidersFailed):
        machine.failed(ProviderError(Outcome.AUTH_ERROR, "x", status=401), now=3.0, chance=0.5)


def test_one_that_asked_for_time_is_asked_again_after_it_when_the_next_one_cannot_help() -> None:
    health = Health(lambda: 0.0)
    machine = failover(health=health)
    machine.begin()
    health.rest(A, 20.0)
    busy = ProviderError(Outcome.RATE_LIMITED, "x", status=429, retry_after=20.0)
    assert machine.failed(busy, now=0.0, chance=0.5).target is B
    refused = ProviderError(Outcome.AUTH_ERROR, "x", status=401)
    again = machine.failed(refused, now=0.0, chance=0.5)
    assert (again.target, again.wait) == (A, 20.0)


def test_nobody_is_waited_for_past_the_deadline() -> None:
    health = Health(lambda: 0.0)
    machine = failover(health=health)
    machine.begin()
    health.rest(A, 70.0)
    busy = ProviderError(Outcome.RATE_LIMITED, "x", status=429, retry_after=70.0)
    machine.failed(busy, now=0.0, chance=0.5)
    with pytest.raises(AllProvidersFailed):
        machine.failed(ProviderError(Outcome.AUTH_ERROR, "x", status=401), now=0.0, chance=0.5)


def test_the_end_names_what_was_tried_in_order() -> None:
    machine = failover()
    machine.begin()
    machine.failed(ProviderError(Outcome.AUTH_ERROR, "x", status=401, code="no_key"), now=0.0, chance=0.5)
    with pytest.raises(AllProvidersFailed) as caught:
        machine.failed(ProviderError(Outcome.NOT_FOUND, "x", status=404), now=0.0, chance=0.5)
    assert [(a.provider, a.status, a.code) for a in caught.value.attempts] == [
        ("together", 401, "no_key"),
        ("openai", 404, None),
    ]
