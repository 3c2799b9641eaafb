"""Any faults, in any order, at three providers: the text is whole, or there is an error."""

import asyncio
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.providers import Provider
from shared.settings import Limits
from tests.simulator import Reply, Simulator
from tests.simulator.asking import PRIMARY, SECOND, THIRD, Asker, Heard, asking, target

TEXT = (
    "A lighthouse stands on the cliff. Its keeper, who is old, reads every evening.\n\n"
    "- the log of ships\n- the weather\n\nWhen fog comes, the horn sounds twice a minute; "
    "nobody in the village sleeps. Then, toward morning, it lifts."
)
LENGTH = len(Reply(TEXT).tokens)
LIMITS = Limits(first_token_timeout=0.3, idle_timeout=0.3, timeout=30.0, max_retries=3)

places = st.integers(0, LENGTH)
faults = st.one_of(
    st.just(Reply()),
    st.builds(Reply, status=st.sampled_from([400, 401, 404, 408, 429, 500, 503])),
    st.builds(Reply, before_headers=st.sampled_from(["cut", "reset"])),
    *(
        st.builds(Reply, **{name: places})
        for name in ("cut_after", "reset_after", "end_after", "error_after")
    ),
    st.builds(Reply, stall_after=places, token_delay=st.just(0.0)),
    st.builds(Reply, malformed_after=st.tuples(places, places)),
    st.builds(Reply, insert_after=st.builds(lambda n: {n: b"data: {\n\n"}, places), done=st.booleans()),
    st.builds(Reply, cut_after=places, drip=st.integers(1, 50)),
    st.builds(Reply, prefill=st.sampled_from(["continue", "restart", "repeat_sentence", "refuse"])),
)
scripts = st.lists(faults.map(lambda reply: replace(reply, text=TEXT)), min_size=1, max_size=4)
rows = st.tuples(
    *(st.builds(replace, st.just(row), accepts_prefill=st.booleans()) for row in (PRIMARY, SECOND, THIRD))
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, st.tuples(scripts, scripts, scripts))
def test_the_text_is_whole_or_there_is_an_error(
    providers: tuple[Provider, ...], plans: tuple[list[Reply], ...]
) -> None:
    asyncio.run(check(providers, plans))


async def check(providers: tuple[Provider, ...], plans: tuple[list[Reply], ...]) -> None:
    before = asyncio.all_tasks()
    async with Simulator() as first, Simulator() as second, Simulator() as third:
        sims = [first, second, third]
        for sim, plan in zip(sims, plans, strict=True):
            sim.script(*plan)
            sim.reply_text(TEXT)
        async with asking(limits=LIMITS) as asker:
            heard = await asker.stream([target(sim, row) for sim, row in zip(sims, providers, strict=True)])
        for sim in sims:
            await sim.wait_for_rest()
        judge(heard, asker)
        assert len(asker.rows) >= sum(len(sim.requests) for sim in sims)
    await tasks_come_to_rest(before)


async def tasks_come_to_rest(before: set[asyncio.Task[object]]) -> None:
    """The HTTP client's own generators are closed by tasks of the event loop, some turns later."""
    for _ in range(100):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


def judge(heard: Heard, asker: Asker) -> None:
    if heard.error is None:
        assert heard.text == TEXT
        assert heard.kinds[-1] == "Finish"
    else:
        assert heard.finish is None
        assert len(heard.error.attempts) == len(asker.rows)
    assert len(asker.rows) <= 1 + LIMITS.max_retries
    assert heard.kinds.count("StreamStart") <= 1
