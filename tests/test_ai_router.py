"""Every fault at every moment, through the router, against real servers on loopback.

One table: what the first provider does, whether there is a second, and then what the caller gets,
what each provider saw and what the ledger holds.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from shared.ai.inquiry import Inquiry
from shared.ai.router import Router
from shared.errors import (
    AllProvidersFailed,
    ApiError,
    ContentFiltered,
    ContextLengthExceeded,
    MalformedOutput,
    NotConfigured,
    ProviderTimeout,
)
from shared.providers import PROVIDERS, Target
from shared.settings import Limits
from shared.types import ChatRequest, JsonSchema, Message, Outcome, Switch, Usage
from tests.simulator import Reply, Simulator
from tests.simulator.asking import (
    CONTEXT,
    PATIENT,
    PRIMARY,
    QUICK,
    REQUEST,
    SECOND,
    THIRD,
    Asker,
    asking,
    target,
)

TEXT = Reply().text
TOKENS = len(Reply().tokens)


@asynccontextmanager
async def two_providers() -> AsyncIterator[tuple[Simulator, Simulator, Asker]]:
    async with Simulator() as first, Simulator() as second, asking() as asker:
        yield first, second, asker


def error(status: int, code: str | None = None, message: str = "m", **headers: str) -> Reply:
    body = {"error": {"message": message, "type": "x", "param": None, "code": code}}
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers)


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


# --- text that cannot be joined -------------------------------------------------------------------


async def test_another_text_resets_what_was_sent() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(cut_after=4))
        second.reply_text("Something else entirely.")
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert heard.kinds == ["StreamStart", "TextDelta", "Switch", "Reset", "TextDelta", "Finish"]
        assert heard.text == "Something else entirely."
        assert Switch("primary", "second", "model-of-second", "cut") in heard.events


async def test_a_provider_that_dies_while_it_is_held_back_leaves_no_trace() -> None:
    async with two_providers() as (first, second, asker), Simulator() as third:
        first.reply(Reply(cut_after=5))
        second.reply(Reply(cut_after=3))
        heard = await asker.stream([target(first), target(second, SECOND), target(third, THIRD)])
        assert heard.text == TEXT
        assert heard.speakers == ["primary", "third"]


async def test_three_providers_that_die_one_after_another_give_one_whole_text() -> None:
    async with two_providers() as (first, second, asker), Simulator() as third:
        first.reply(Reply(cut_after=2))
        second.reply(Reply(stall_after=6))
        heard = await asker.stream(
            [target(first), target(second, SECOND), target(third, THIRD)], limits=QUICK
        )
        assert heard.text == TEXT
        assert heard.speakers == ["primary", "second", "third"]
        assert "Reset" not in heard.kinds


LONG = (
    "The fox is quick. It jumps over the dog. Then it runs away into the deep wood. There it sleeps. The end."
)


@pytest.mark.parametrize("how", ["continue", "restart", "repeat_sentence", "refuse"])
async def test_a_provider_that_takes_a_prefill_goes_on_where_the_text_broke(how: Any) -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(LONG, cut_after=14))
        second.reply(Reply(LONG, prefill=how))
        heard = await asker.stream([target(first), target(second, replace(SECOND, accepts_prefill=True))])
        assert (heard.text, heard.error) == (LONG, None)
        assert "Reset" not in heard.kinds
        sent = second.requests[0].json["messages"][-1]
        assert sent["role"] == "assistant"
        assert LONG.startswith(sent["content"])
        refused = ["second bad_request"] if how == "refuse" else []
        assert asker.outcomes == ["primary cut", *refused, "second ok"]


async def test_a_prefill_is_not_tried_when_a_refusal_could_not_be_made_good() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(LONG, cut_after=14))
        second.reply(Reply(LONG, prefill="refuse"))
        heard = await asker.stream(
            [target(first), target(second, replace(SECOND, accepts_prefill=True))],
            limits=replace(PATIENT, max_retries=1),
        )
        assert (heard.text, heard.error) == (LONG, None)


async def test_json_is_made_anew_and_not_gone_on_with() -> None:
    answer = json.dumps({"text": LONG})
    async with two_providers() as (first, second, asker):
        first.reply(Reply(answer, cut_after=14))
        second.reply(Reply(answer))
        request = replace(REQUEST, response_schema=JsonSchema("answer", {"type": "object"}))
        row = replace(SECOND, accepts_prefill=True)
        heard = await asker.stream([target(first), target(second, row)], request=request)
        assert json.loads(heard.text) == {"text": LONG}
        assert second.requests[0].json["messages"][-1]["role"] == "user"


# --- the ledger -----------------------------------------------------------------------------------


async def test_a_row_says_what_one_attempt_used_and_cost() -> None:
    async with Simulator() as sim, asking() as asker:
        await asker.stream([Target(PROVIDERS["openai"], "gpt-4o", sim.base_url, "k")])
        (row,) = asker.rows
        assert (row.request_id, row.tenant_id, row.task) == (
            CONTEXT.request_id,
            CONTEXT.tenant_id,
            CONTEXT.task,
        )
        assert (row.provider, row.model, row.outcome, row.status) == ("openai", "gpt-4o", Outcome.OK, 200)
        assert row.usage == Usage(input_tokens=7, output_tokens=TOKENS)
        assert row.cost_usd == (7 * Decimal("2.50") + TOKENS * Decimal("10.00")) / 1_000_000
        assert row.streamed
        assert row.first_token_ms is not None
        assert 0 < row.first_token_ms <= row.duration_ms


async def test_a_row_has_a_status_only_if_the_provider_gave_one() -> None:
    async with Simulator() as sim, asking(limits=replace(QUICK, max_retries=0)) as asker:
        for reply in (Reply(stall_after=3), Reply(before_headers="stall"), Reply(status=503)):
            sim.reply(reply)
            await asker.stream([target(sim)])
        assert [row.status for row in asker.rows] == [200, None, 503]


async def test_a_refusal_in_words_is_a_content_filter() -> None:
    refusal = b'data: {"choices":[{"index":0,"delta":{"refusal":"I cannot"}}]}\n\n'
    async with two_providers() as (first, second, asker):
        first.reply(Reply(text="", insert_after={0: refusal}))
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert isinstance(heard.error, ContentFiltered)
        assert not second.requests


async def test_a_broken_attempt_is_estimated_and_a_failed_one_used_nothing() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(cut_after=4))
        second.reply(error(404))
        await asker.stream([target(first), target(second, SECOND)])
        cut, refused, *_ = asker.rows
        assert cut.usage.estimated
        assert cut.usage.input_tokens > 0
        assert cut.usage.output_tokens > 0
        assert refused.usage == Usage()
        assert refused.status == 404


async def test_the_finish_adds_up_all_attempts() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(cut_after=4))
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert heard.finish is not None
        assert heard.finish.usage == asker.rows[0].usage + asker.rows[1].usage
        assert heard.finish.cost_usd is None  # nobody knows what these models cost


async def test_a_usage_that_came_before_the_failure_is_taken_as_it_is() -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":70,"completion_tokens":3}}\n\n'
    async with Simulator() as sim, asking() as asker:
        sim.script(Reply(insert_after={3: usage}, cut_after=3))
        await asker.stream([target(sim)])
        assert asker.rows[0].usage == Usage(70, 3)


# --- answers of a form ----------------------------------------------------------------------------

SCHEMA = JsonSchema("answer", {"type": "object", "properties": {"n": {"type": "integer"}}})


def number(text: str) -> int:
    document = json.loads(text)
    if "n" not in document:
        raise ValueError("`n` is missing")
    return int(document["n"])


async def parsed(asker: Asker, *targets: Target) -> tuple[int, Any]:
    return await asker.router.complete_parsed(
        Inquiry(replace(REQUEST, response_schema=SCHEMA), targets, PATIENT, CONTEXT), parse=number
    )


async def test_a_good_answer_is_parsed_at_once() -> None:
    async with Simulator() as sim, asking() as asker:
        sim.reply_text('{"n": 7}')
        value, finish = await parsed(asker, target(sim))
        assert (value, finish.attempts) == (7, 1)


async def test_a_wrong_answer_is_repaired_by_the_same_provider() -> None:
    async with Simulator() as sim, asking() as asker:
        sim.script(Reply('{"m": 7}'), Reply('{"n": 7}'))
        value, finish = await parsed(asker, target(sim))
        assert (value, finish.attempts) == (7, 2)
        assert asker.outcomes == ["primary malformed_output", "primary ok"]
        *_, reply, turn = sim.requests[1].json["messages"]
        assert (reply["role"], reply["content"]) == ("assistant", '{"m": 7}')
        assert turn["role"] == "user"
        assert "`n` is missing" in turn["content"]
        assert asker.rows[0].usage.output_tokens > 0
        assert not asker.rows[0].usage.estimated


async def test_after_one_repair_the_next_provider_is_asked_the_first_question() -> None:
    async with two_providers() as (first, second, asker):
        first.reply_text("no JSON at all")
        second.reply_text('{"n": 8}')
        value, finish = await parsed(asker, target(first), target(second, SECOND))
        assert (value, finish.provider) == (8, "second")
        assert asker.outcomes == ["primary malformed_output", "primary malformed_output", "second ok"]
        assert [message["role"] for message in second.requests[0].json["messages"]] == ["system", "user"]


async def test_when_nobody_gets_it_right_that_is_what_is_said() -> None:
    async with two_providers() as (first, second, asker):
        first.reply_text("no JSON")
        second.reply_text("none here")
        with pytest.raises(MalformedOutput) as caught:
            await parsed(asker, target(first), target(second, SECOND))
        assert len(caught.value.attempts) == 4
        assert {attempt.outcome for attempt in caught.value.attempts} == {Outcome.MALFORMED_OUTPUT}


async def test_repairs_count_against_the_attempts() -> None:
    async with two_providers() as (first, second, asker):
        first.script(error(500))
        first.reply_text("no JSON")
        second.reply_text("nor here")
        with pytest.raises(MalformedOutput):
            await parsed(asker, target(first), target(second, SECOND))
        assert (len(first.requests), len(second.requests)) == (3, 1)


async def test_a_cut_answer_is_made_anew_and_then_parsed() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply('{"n": 1, "why": "because of this and that"}', cut_after=4))
        second.reply_text('{"n": 2}')
        value, _ = await parsed(asker, target(first), target(second, SECOND))
        assert value == 2


# --- what leaves us -------------------------------------------------------------------------------


async def test_the_fallback_is_asked_with_its_own_model_and_its_own_words() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(error(503))
        request = ChatRequest(
            (Message("user", "Hi"),),
            max_output_tokens=50,
            temperature=0.0,
            response_schema=SCHEMA,
            stop=("END",),
        )
        row = replace(SECOND, json_output="object", usage_in_streams=False, refuses=frozenset({"stop"}))
        await asker.stream([target(first), target(second, row)], request=request)
        before, after = first.requests[0].json, second.requests[0].json
        assert (before["model"], after["model"]) == ("model-of-primary", "model-of-second")
        assert (before["max_tokens"], after["max_completion_tokens"]) == (50, 50)
        assert (before["temperature"], after["temperature"]) == (0.0, 0.0)
        assert before["response_format"]["type"] == "json_schema"
        assert after["response_format"] == {"type": "json_object"}
        assert '"integer"' in after["messages"][0]["content"]
        assert before["stop"] == ["END"]
        assert "stop" not in after
        assert before["stream_options"] == {"include_usage": True}
        assert "stream_options" not in after
        assert before["stream"]
        assert after["stream"]


async def test_keys_go_to_their_provider_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="shared")
    secret = "sk-secret-1234"
    async with two_providers() as (first, second, asker):
        first.reply(error(401, message=f"Incorrect API key {secret}"))
        second.reply(error(400, message="prompt said What does the fox do?"))
        heard = await asker.stream([target(first, key=secret), target(second, SECOND, key="other")])
        assert first.requests[0].headers["authorization"] == f"Bearer {secret}"
        assert second.requests[0].headers["authorization"] == "Bearer other"
        assert heard.error is not None
        written = f"{heard.error} {heard.error.to_json('r')} {caplog.text} {asker.rows}"
        assert secret not in written
        assert "fox" not in written


async def test_a_key_that_no_header_can_carry_is_a_failed_attempt_and_is_not_quoted() -> None:
    async with two_providers() as (first, second, asker):
        heard = await asker.stream([target(first, key="sk-“quoted”\n"), target(second, SECOND)])
        assert heard.text == TEXT
        assert asker.outcomes == ["primary auth_error", "second ok"]


async def test_a_provider_without_a_key_gets_no_header() -> None:
    async with Simulator() as sim, asking() as asker:
        await asker.stream([target(sim, PROVIDERS["local"], key=None)])
        assert "authorization" not in sim.requests[0].headers


async def test_one_connection_serves_one_request_after_another() -> None:
    async with Simulator() as sim, asking() as asker:
        for _ in range(5):
            await asker.stream([target(sim)])
        assert sim.connections == 1


async def test_a_router_that_was_closed_has_no_connection_open() -> None:
    async with Simulator() as sim:
        async with asking() as asker:
            await asker.stream([target(sim)])
        await sim.wait_for_rest()
    assert isinstance(asker.router, Router)


def test_the_defaults_are_the_design_s() -> None:
    assert (Limits().max_retries, Limits().timeout) == (3, 60.0)
