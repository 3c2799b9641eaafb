"""Every fault at every moment, through the router, against real servers on loopback.

One table: what the first provider does, whether there is a second, and then what the caller gets,
what each provider saw and what the ledger holds.
"""

import asyncio
from dataclasses import dataclass, replace

import pytest

from shared.ai.inquiry import Inquiry
from shared.errors import (
    AllProvidersFailed,
    ApiError,
    ContentFiltered,
    ContextLengthExceeded,
    NotConfigured,
    ProviderTimeout,
)
from shared.providers import Target
from shared.settings import Limits
from tests.simulator import Reply, Simulator
from tests.simulator.asking import (
    CONTEXT,
    PATIENT,
    PRIMARY,
    QUICK,
    REQUEST,
    SECOND,
    THIRD,
    asking,
    error,
    target,
    two_providers,
)

TEXT = Reply().text


@dataclass(frozen=True)
class Fault:
    """What the first provider does, and what comes of it."""

    reply: Reply
    asked: int  # how often the first provider is asked when there is a fallback
    outcome: str  # of each of these attempts
    alone: type[ApiError]  # what the caller gets when there is no fallback
    alone_asked: int
    shown: bool = False  # the caller has text of the first provider

    @property
    def limits(self) -> Limits:
        silent = self.outcome == "timeout" and self.reply.status == 200
        return QUICK if silent else PATIENT


ALL = AllProvidersFailed

FAULTS = {
    # before headers
    "429": Fault(error(429), 2, "rate_limited", ALL, 4),
    "429-retry-after-short": Fault(error(429, **{"retry-after": "1"}), 2, "rate_limited", ALL, 4),
    "429-retry-after-long": Fault(error(429, **{"retry-after": "4"}), 1, "rate_limited", ALL, 4),
    "429-retry-after-ms": Fault(error(429, **{"retry-after-ms": "3500"}), 1, "rate_limited", ALL, 4),
    "429-no-quota": Fault(error(429, "insufficient_quota"), 1, "rate_limited", ALL, 1),
    "500": Fault(error(500), 2, "server_error", ALL, 4),
    "503": Fault(error(503), 2, "server_error", ALL, 4),
    "html-502": Fault(
        Reply(status=502, body=b"<html>Bad</html>", content_type="text/html"), 2, "server_error", ALL, 4
    ),
    "408": Fault(error(408), 2, "timeout", ProviderTimeout, 4),
    "409": Fault(error(409), 2, "server_error", ALL, 4),
    "400": Fault(error(400), 1, "bad_request", ALL, 1),
    "401": Fault(error(401), 1, "auth_error", ALL, 1),
    "403": Fault(error(403), 1, "auth_error", ALL, 1),
    "404": Fault(error(404), 1, "not_found", ALL, 1),
    "redirect": Fault(error(302, location="http://127.0.0.1:1/"), 2, "protocol_error", ALL, 4),
    "context-length": Fault(
        error(400, "context_length_exceeded"), 1, "context_length_exceeded", ContextLengthExceeded, 1
    ),
    "reset-before-headers": Fault(Reply(before_headers="reset"), 2, "connect_error", ALL, 4),
    "cut-before-headers": Fault(Reply(before_headers="cut"), 2, "connect_error", ALL, 4),
    "silence-before-headers": Fault(Reply(before_headers="stall"), 1, "timeout", ProviderTimeout, 1),
    # before the first token
    "silence": Fault(Reply(stall_after=0), 1, "timeout", ProviderTimeout, 1),
    "comments-only": Fault(
        Reply(comments=100, first_token_delay=0.02), 1, "timeout", ProviderTimeout, 1
    ),
    "cut-before-tokens": Fault(Reply(cut_after=0), 2, "connect_error", ALL, 4),
    "end-before-tokens": Fault(Reply(end_after=0), 2, "cut", ALL, 4),
    "error-before-tokens": Fault(Reply(error_after=0), 2, "server_error", ALL, 4),
    "error-with-200": Fault(
        Reply(body=b'{"error": {"message": "m", "code": 502}}'), 2, "server_error", ALL, 4
    ),
    "page-with-200": Fault(Reply(body=b"<html>", content_type="text/html"), 2, "protocol_error", ALL, 4),
    "nothing-with-200": Fault(Reply(body=b""), 2, "protocol_error", ALL, 4),
    # after tokens
    "cut": Fault(Reply(cut_after=3), 1, "cut", ALL, 4, shown=True),
    "reset": Fault(Reply(reset_after=3, token_delay=0.002), 1, "cut", ALL, 4, shown=True),
    "stall": Fault(Reply(stall_after=3), 1, "timeout", ProviderTimeout, 4, shown=True),
    "error-event": Fault(Reply(error_after=3, token_delay=0.002), 1, "server_error", ALL, 4, shown=True),
    "named-error-event": Fault(
        Reply(error_after=3, error_event_name="error", token_delay=0.002),
        1, "server_error", ALL, 4, shown=True,
    ),
    "end-without-finish": Fault(Reply(end_after=3), 1, "cut", ALL, 4, shown=True),
    "done-without-finish": Fault(
        Reply(finish=None, token_delay=0.002), 1, "cut", ALL, 4, shown=True
    ),
    "malformed-twice": Fault(
        Reply(malformed_after=(3, 4), token_delay=0.002), 1, "protocol_error", ALL, 4, shown=True
    ),
    "huge-line": Fault(
        Reply(huge_line_after=3, token_delay=0.002), 1, "protocol_error", ALL, 4, shown=True
    ),
    "drip-then-stall": Fault(Reply(stall_after=2, drip=3), 1, "timeout", ProviderTimeout, 4, shown=True),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_failing_provider_is_followed_by_the_next_one(fault: Fault) -> None:
    async with two_providers() as (first, second, asker):
        first.reply(fault.reply)
        heard = await asker.stream([target(first), target(second, SECOND)], limits=fault.limits)
        assert heard.error is None
        assert heard.text == TEXT
        assert heard.finish is not None
        assert heard.finish.provider == "second"
        assert heard.speakers == (["primary", "second"] if fault.shown else ["second"])
        assert "Reset" not in heard.kinds
        assert (len(first.requests), len(second.requests)) == (fault.asked, 1)
        assert asker.outcomes == [f"primary {fault.outcome}"] * fault.asked + ["second ok"]
        assert heard.finish.attempts == fault.asked + 1


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_an_answer_that_is_awaited_whole_fails_over_just_the_same(fault: Fault) -> None:
    async with two_providers() as (first, second, asker):
        first.reply(fault.reply)
        completion = await asker.router.complete(
            Inquiry(REQUEST, [target(first), target(second, SECOND)], fault.limits, CONTEXT)
        )
        assert completion.text == TEXT
        assert completion.finish.provider == "second"
        assert (len(first.requests), len(second.requests)) == (fault.asked, 1)
        assert not any(row.streamed for row in asker.rows)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_without_a_fallback_a_failure_ends_in_an_error_and_never_in_a_truncated_answer(
    fault: Fault,
) -> None:
    async with Simulator() as first, asking(limits=fault.limits) as asker:
        first.reply(fault.reply)
        heard = await asker.stream([target(first)])
        assert type(heard.error) is fault.alone
        assert heard.finish is None
        assert len(first.requests) == fault.alone_asked
        assert [attempt.outcome.value for attempt in heard.error.attempts] == [
            fault.outcome
        ] * fault.alone_asked


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_when_every_provider_fails_the_budget_holds_and_the_error_names_each_attempt(
    fault: Fault,
) -> None:
    async with two_providers() as (first, second, asker):
        first.reply(fault.reply)
        second.reply(error(404))
        heard = await asker.stream([target(first), target(second, SECOND)], limits=fault.limits)
        assert isinstance(heard.error, AllProvidersFailed)
        assert heard.finish is None
        asked = max(1, fault.alone_asked - 1)  # the fallback's attempt is of the same budget
        assert (len(first.requests), len(second.requests)) == (asked, 1)
        assert len(heard.error.attempts) == len(asker.rows) == asked + 1


GOOD = {
    "plain": Reply(),
    "no-done": Reply(done=False),
    "no-done-and-open": Reply(done=False, hang_at_end=True),
    "no-usage": Reply(usage=False),
    "no-usage-no-done-and-open": Reply(usage=False, done=False, hang_at_end=True),
    "done-and-open": Reply(hang_at_end=True),
    "one-malformed-event": Reply(malformed_after=(3,)),
    "drip": Reply(drip=1),
    "crlf": Reply(line_end="\r\n"),
    "cr": Reply(line_end="\r"),
    "gzip": Reply(gzip=True),
    "wrong-charset": Reply(content_type="text/event-stream; charset=iso-8859-1"),
    "no-content-type": Reply(content_type=""),
    "plain-text-type": Reply(content_type="text/plain"),
    "comments": Reply(comments=3, first_token_delay=0.01),
    "error-after-the-finish": Reply(after_finish=b'data: {"error": {"message": "m"}}\n\n'),
    "malformed-after-the-finish": Reply(after_finish=b"data: {\n\ndata: {\n\n"),
    "json-for-a-stream": Reply(ignore_stream=True),
    "json-for-a-stream-in-drips": Reply(ignore_stream=True, drip=7),
}


@pytest.mark.parametrize("reply", GOOD.values(), ids=GOOD)
async def test_an_odd_but_whole_answer_is_a_good_answer_at_once(reply: Reply) -> None:
    async with asyncio.timeout(10.0), two_providers() as (first, second, asker):
        text = "Der Fuchs läuft — schnell! 🦊 Und springt über den Hund."
        first.reply(replace(reply, text=text))
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert (heard.error, heard.text) == (None, text)
        assert heard.kinds == ["StreamStart", "TextDelta", "Finish"]
        assert asker.outcomes == ["primary ok"]
        assert not second.requests


async def test_one_failure_is_retried_on_the_same_provider() -> None:
    async with two_providers() as (first, second, asker):
        first.script(error(500))
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert heard.text == TEXT
        assert asker.outcomes == ["primary server_error", "primary ok"]
        assert asker.waits == [0.5]
        assert not second.requests


async def test_the_waits_double_and_a_provider_that_names_one_is_given_it() -> None:
    async with Simulator() as first, asking() as asker:
        first.script(error(500), error(500), error(429, **{"retry-after": "2.5"}))
        heard = await asker.stream([target(first)])
        assert heard.text == TEXT
        assert asker.waits == [0.5, 1.0, 2.5]


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    async with Simulator() as first, asking() as asker:
        first.reply(error(429, **{"retry-after": "90"}))
        heard = await asker.stream([target(first)])
        assert isinstance(heard.error, AllProvidersFailed)
        assert heard.error.retry_after == 90.0
        assert (len(first.requests), asker.waits) == (1, [])


async def test_one_attempt_is_kept_for_every_provider() -> None:
    async with Simulator() as sim, asking() as asker:
        sim.reply(error(503))
        rows = [PRIMARY, SECOND, THIRD, replace(THIRD, name="fourth"), replace(THIRD, name="fifth")]
        heard = await asker.stream([target(sim, row) for row in rows], limits=replace(PATIENT, max_retries=1))
        assert isinstance(heard.error, AllProvidersFailed)
        assert [row.provider for row in asker.rows] == ["primary", "second", "third", "fourth", "fifth"]


async def test_no_retries_means_one_attempt() -> None:
    async with Simulator() as sim, asking() as asker:
        sim.reply(error(503))
        await asker.stream([target(sim)], limits=replace(PATIENT, max_retries=0))
        assert len(sim.requests) == 1


async def test_a_content_filter_is_the_answer_and_is_not_routed_around() -> None:
    for reply in (error(400, "content_filter"), Reply(finish="content_filter", text="I")):
        async with two_providers() as (first, second, asker):
            first.reply(reply)
            heard = await asker.stream([target(first), target(second, SECOND)])
            assert isinstance(heard.error, ContentFiltered)
            assert heard.error.attempts[0].code == "content_filter"
            assert (len(first.requests), len(second.requests)) == (1, 0)


async def test_a_refusal_in_words_is_a_content_filter() -> None:
    refusal = b'data: {"choices":[{"index":0,"delta":{"refusal":"I cannot"}}]}\n\n'
    async with two_providers() as (first, second, asker):
        first.reply(Reply(text="", insert_after={0: refusal}))
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert isinstance(heard.error, ContentFiltered)
        assert not second.requests


async def test_no_provider_at_all_is_said_so() -> None:
    async with asking() as asker:
        assert isinstance((await asker.stream([])).error, NotConfigured)


async def test_a_provider_that_is_not_there_is_a_connection_error() -> None:
    async with Simulator() as second, asking() as asker:
        gone = Target(PRIMARY, "m", "http://127.0.0.1:1/v1", "k")
        heard = await asker.stream([gone, target(second, SECOND)])
        assert heard.text == TEXT
        assert asker.outcomes == ["primary connect_error"] * 2 + ["second ok"]


async def test_the_deadline_bounds_everything() -> None:
    async with Simulator() as first, asking() as asker:
        first.reply(Reply(token_delay=0.05, text="word " * 100))
        heard = await asker.stream([target(first)], limits=replace(PATIENT, timeout=0.3))
        assert isinstance(heard.error, ProviderTimeout)
        assert [row.code for row in asker.rows] == ["deadline_exceeded"]


async def test_a_model_that_thinks_is_not_silent() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(thinking=5, first_token_delay=0.15))
        heard = await asker.stream([target(first), target(second, SECOND)], limits=QUICK)
        assert (heard.text, heard.speakers) == (TEXT, ["primary"])


def test_the_defaults_are_the_design_s() -> None:
    assert (Limits().max_retries, Limits().timeout) == (3, 60.0)
