"""Ranges and groups as people write them: read, or refused by name; never anything else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.store.store import USAGE_GROUPS
from shared.usage import LONGEST_RANGE, groups, time_range

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@given(st.integers(1, 999_999_999), st.sampled_from(sorted(SECONDS)))
def test_a_number_and_a_unit_are_that_time_up_to_ten_years(count: int, unit: str) -> None:
    seconds = count * SECONDS[unit]
    if seconds <= LONGEST_RANGE.total_seconds():
        assert time_range(f"{count}{unit}") == timedelta(seconds=seconds)
    else:
        with pytest.raises(InvalidRequest, match="at most 3660d"):
            time_range(f"{count}{unit}")


@given(st.text() | st.from_regex(r"[-+0-9. ]*[smhdwyM]?", fullmatch=True))
def test_any_text_is_a_time_or_refused_by_name(text: str) -> None:
    refused: InvalidRequest | None = None
    try:
        assert timedelta(0) < time_range(text, param="--since") <= LONGEST_RANGE
    except InvalidRequest as error:
        refused = error
    assert refused is None or (refused.param, str(refused)[:11]) == ("--since", "--since is ")


@given(st.lists(st.sampled_from(USAGE_GROUPS)), st.sampled_from([",", " , ", ",,"]))
def test_groups_are_named_once_each_in_the_order_they_were_asked_for(names: list[str], between: str) -> None:
    assert groups(between.join(names)) == list(dict.fromkeys(names))


@given(st.text(min_size=1).filter(lambda text: "," not in text and text.strip() not in ("", *USAGE_GROUPS)))
def test_any_other_group_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"allowed are task, provider, model, outcome, day") as caught:
        groups(f"task,{name}")
    assert caught.value.param == "group_by"
