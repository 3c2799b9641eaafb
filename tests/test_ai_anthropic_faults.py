"""What may happen to a stream of Anthropic's: wherever it ends, another provider's text goes on there."""

import pytest

from shared.providers import PROVIDERS, Target
from shared.types import Outcome
from tests.simulator import Reply, Simulator
from tests.simulator.asking import QUICK, Asker, Heard, asking, target

ROW = PROVIDERS["anthropic"]
TEXT = Reply().text


async def heard_with(asker: Asker, reply: Reply, *, fallback: bool = True) -> tuple[Heard, Simulator]:
    async with Simulator() as claude, Simulator() as other:
        claude.reply(reply)
        targets = [Target(ROW, "claude-haiku-4-5", claude.base_url, "k")]
        heard = await asker.stream([*targets, *([target(other)] if fallback else [])], limits=QUICK)
    return heard, claude


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(thinking=2),
        Reply(malformed_after=(3,)),
        Reply(done=False),
        Reply(usage=False),
        Reply(ignore_stream=True),
        Reply(line_end="\r\n"),
    ],
    ids=["plain", "thinking", "malformed", "no-message-stop", "no-usage", "whole", "crlf"],
)
async def test_a_good_answer_is_taken_as_it_comes(reply: Reply) -> None:
    async with asking() as asker:
        heard, claude = await heard_with(asker, reply, fallback=False)
    assert heard.error is None
    assert heard.text == TEXT
    assert [row.outcome for row in asker.rows] == [Outcome.OK]
    assert claude.requests[0].path == "/v1/messages"
    counted = asker.rows[0].usage
    assert (counted.output_tokens, counted.estimated) == ((9, False) if reply.usage else (11, True))


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(cut_after=0), "cut"),
        (Reply(cut_after=4), "cut"),
        (Reply(reset_after=4), "cut"),
        (Reply(end_after=4), "cut"),
        (Reply(stall_after=4), "timeout"),
        (Reply(before_headers="stall"), "timeout"),
        (Reply(error_after=4), "server_error"),
        (Reply(error_after=0), "server_error"),
        (Reply(malformed_after=(2, 3)), "protocol_error"),
        (Reply(huge_line_after=4), "protocol_error"),
        (Reply(status=401), "auth_error"),
        (Reply(status=404), "not_found"),
        (Reply(status=529), "server_error"),
    ],
)
async def test_whatever_happens_the_text_is_whole(reply: Reply, outcome: str) -> None:
    async with asking() as asker:
        heard, _ = await heard_with(asker, reply)
    assert heard.error is None
    assert heard.text == TEXT
    assert heard.finish is not None
    assert heard.finish.provider == "primary"
    outcomes = [row.outcome.value for row in asker.rows if row.provider == "anthropic"]
    assert set(outcomes) <= {outcome, "connect_error"}
    assert outcome in outcomes or reply.cut_after == 0


async def test_a_refusal_is_the_answer_and_is_not_routed_around() -> None:
    async with asking() as asker:
        heard, _ = await heard_with(asker, Reply(finish="content_filter"))
    assert [row.outcome.value for row in asker.rows] == ["content_filtered"]
    assert type(heard.error).__name__ == "ContentFiltered"
