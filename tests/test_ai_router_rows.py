"""What the ledger holds of each attempt that the router made."""

from dataclasses import replace
from decimal import Decimal

from shared.providers import PROVIDERS, Target
from shared.types import Outcome, Usage
from tests.simulator import Reply, Simulator
from tests.simulator.asking import CONTEXT, QUICK, SECOND, asking, error, target, two_providers

TOKENS = len(Reply().tokens)


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


async def test_a_usage_has_its_time_however_long_the_finish_reason_took() -> None:
    async with Simulator() as sim, asking() as asker:
        sim.reply(Reply("Hello", token_delay=0.6, usage_delay=0.1))
        await asker.stream([target(sim)])
        (row,) = asker.rows
        assert row.usage == Usage(input_tokens=7, output_tokens=1)
