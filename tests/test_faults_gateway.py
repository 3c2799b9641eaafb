"""Every fault at every moment, with every fallback, at the OpenAI-compatible gateway."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.faults.fronts import CHAT, CHAT_STREAM
from tests.faults.playing import all_expected, play_all
from tests.faults.table import GATEWAY_ROWS, IN_ONE_PIECE_ROWS, Row


@pytest.mark.parametrize("rows", GATEWAY_ROWS.values(), ids=GATEWAY_ROWS)
async def test_what_comes_of_a_fault_in_a_stream(rows: Sequence[Row], database_url: str) -> None:
    assert await play_all(rows, CHAT_STREAM, database_url) == all_expected(rows, CHAT_STREAM)


@pytest.mark.parametrize("rows", IN_ONE_PIECE_ROWS.values(), ids=IN_ONE_PIECE_ROWS)
async def test_what_comes_of_a_fault_in_an_answer_in_one_piece(
    rows: Sequence[Row], database_url: str
) -> None:
    assert await play_all(rows, CHAT, database_url) == all_expected(rows, CHAT)
