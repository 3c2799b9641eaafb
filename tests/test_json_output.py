"""The one JSON object of a model's reply: whole, or an error that says why."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.json_output import MAX_DEPTH, MAX_LENGTH, parse_json_object

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["{", "}", "[1]", '{"a": 1}', "```", '"', "\\", "<think>"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=5), st.just("{")), inner, max_size=4),
    ),
    max_leaves=12,
).filter(lambda value: _encodes(value))
OBJECTS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), VALUES, max_size=5)


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    "reply",
    [
        '{"a": 1}',
        ' \n{"a": 1}\n',
        '\ufeff{"a": 1}',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```',
        '```json\r\n{"a": 1}\r\n```\n',
        'Here you are:\n\n```json\n{"a": 1}\n```\n\nIs that all?',
        'Sure, {as asked}: {"a": 1} and nothing more {really}.',
        'As [1] and [the note] say: {"a": 1} [2]',
        '{"a": 1}\n{"a": 1}',  # said twice
        '<think>\nIt should be {"a": 2}, no…\n</think>\n{"a": 1}',
        '[] is empty, {"a": 1} is not',
    ],
)
def test_the_object_is_found_in_what_stands_around_it(reply: str) -> None:
    assert parse_json_object(reply) == {"a": 1}


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ("", "no JSON object"),
        ("I cannot do that.", "no JSON object"),
        ("<think>Let me see", "no JSON object"),
        ('<think>Perhaps {"a": 1}', "no JSON object"),
        ('{"a": 1', "cut short"),
        ('{"a": {"b": 1}', "cut short"),
        ('{"a": {"b": 1}, "c": "and th', "cut short"),
        ('```json\n{"a": [{"b": 1}, {"b"\n```', "not valid"),
        ('{"a": 1}{"a": 2}', "several"),
        ('{"a": 1} or rather {"b": 1}', "several"),
        ('[{"a": 1}]', "not an object"),
        ('Here: [{"a": 1}]', "not an object"),
        ('Here: [1, {"a": 1}]', "not an object"),
        ('[1, {"a": 1}', "cut short"),
        ('"{}"', "not an object"),
        ("null", "not an object"),
        ("3", "not an object"),
        ('{"a": NaN}', "not a number"),
        ('{"a": -Infinity}', "not a number"),
        ('{"a": 1e999}', "not a number"),
        ('{"a": ' + "9" * 5000 + "}", "not a number"),
        ('{"a": 1,}', "not valid"),
        ('{a: 1, "b": {"c": 1}}', "not valid"),
        ('{"a": "\\ud83d"}', "surrogate"),
        ('{"\\udc00": 1}', "surrogate"),
        ('{"a":' * 100_000, "deeper"),
        ('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "deeper"),
        ("[" * 100_000, "deeper"),
        ("{" * 100_000, "not valid"),
        ('{"a": "' + "x" * MAX_LENGTH + '"}', "longer"),
    ],
)  # fmt: skip
def test_anything_else_is_an_error_that_tells_the_model_what_to_mend(reply: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        parse_json_object(reply)
    assert len(str(caught.value)) < 200


def test_the_deepest_that_is_taken() -> None:
    nested = '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert json.dumps(parse_json_object(nested), separators=(",", ":")) == nested


@given(OBJECTS, st.sampled_from([None, 2]), st.booleans())
def test_every_object_comes_back_as_it_was(
    value: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    reply = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert parse_json_object(reply) == value
    assert parse_json_object(f"Yes:\n```json\n{reply}\n```\nThat is all.") == value


@given(OBJECTS, st.data())
def test_an_object_cut_short_is_never_taken_for_whole(value: dict[str, Any], data: st.DataObject) -> None:
    reply = json.dumps(value, ensure_ascii=False)
    cut = data.draw(st.integers(0, len(reply) - 1))
    with pytest.raises(ValueError):
        parse_json_object(reply[:cut])


@given(VALUES.filter(lambda value: not isinstance(value, dict)))
def test_json_that_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        parse_json_object(json.dumps(value))


@settings(max_examples=300)
@given(st.text(st.sampled_from('{}[]":,1ae\\ \n`<>'), max_size=40))
def test_whatever_is_given_the_answer_is_an_object_or_a_value_error(reply: str) -> None:
    try:
        found = parse_json_object(reply)
    except ValueError:
        return
    assert isinstance(found, dict)
    assert all(not isinstance(one, float) or math.isfinite(one) for one in found.values())
