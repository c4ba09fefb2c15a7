"""Canonical JSON: the fast path writes what canonicaljson writes, and unsafe values are told."""

from __future__ import annotations

import json
from enum import StrEnum

import canonicaljson
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.canonical_json import MAX_DEPTH, canonical_json, check_canonical, parsed
from synapse_like.matrix.errors import UnsafeValue
from tests.kit.pdus import safe_json

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(any_json)
def test_the_bytes_are_those_of_canonicaljson(value):
    try:
        expected = canonicaljson.encode_canonical_json(value)
    except UnicodeEncodeError:
        with pytest.raises(UnsafeValue):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


@given(any_json | st.integers(-(10**60), 10**60) | st.text(st.characters()))
def test_events_are_read_as_they_were_written(value):
    """Also what only old rooms may hold: integers of any length, half surrogates."""
    text = json.dumps(value)
    assert repr(parsed(text)) == repr(json.loads(text)), "integers stay integers"


@pytest.mark.parametrize("text", ["", "{", '{"a":01}', '{"a":1}x', "[" * 100_000, "9" * 10_000])
def test_what_is_no_json_is_not_read(text):
    with pytest.raises(ValueError):
        parsed(text)


@given(
    st.dictionaries(st.text(st.sampled_from('a\U0001f600\uffff\ue000\x7f\x00"\\/\u2028zé'), max_size=3), st.integers())
)
def test_keys_are_sorted_by_code_point(value):
    """UTF-16 order would put astral characters before U+E000."""
    encoded = canonical_json(value)
    assert encoded == canonicaljson.encode_canonical_json(value)
    assert list(json.loads(encoded)) == sorted(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "{}"),
        ('{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'),
        ('{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'),
        ('{"a": "日本語"}', '{"a":"日本語"}'),
        ('{"本": 2, "日": 1}', '{"日":1,"本":2}'),
        ('{"a": "\\u65E5"}', '{"a":"日"}'),
        ('{"a": null}', '{"a":null}'),
        ('{"a": -0}', '{"a":0}'),
        ('{"a": [true, false, {"c": 1, "b": []}]}', '{"a":[true,false,{"b":[],"c":1}]}'),
        ('"\\u0000\\u001f\\u007f\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u0000\\u001f\x7f\\"\\\\/\\b\\f\\n\\r\\t"'),
    ],
)
def test_vectors_of_the_specification(text, expected):
    assert canonical_json(json.loads(text)) == expected.encode()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {"a": [float("-inf")]}, "\ud800", {"\udfff": 1}, b"x", {1, 2}]
)
def test_what_is_no_json_has_no_bytes(value):
    with pytest.raises(UnsafeValue):
        canonical_json(value)


def test_other_types_go_the_way_of_canonicaljson():
    class Colour(StrEnum):
        RED = "red"

    assert (
        canonical_json({"a": (1, Colour.RED), "b": 2**70, "c": 1e22})
        == b'{"a":[1,"red"],"b":1180591620717411303424,"c":1e+22}'
    )


def nested(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value} if levels % 2 else [value]
    return value


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, MAX_DEPTH + 2, 50_000])
def test_endless_nesting_is_refused(levels):
    for encode in (canonical_json, check_canonical):
        with pytest.raises(UnsafeValue):
            encode(nested(levels))


def test_deep_nesting_is_written_by_both_ways():
    value = nested(MAX_DEPTH - 1)
    check_canonical(value)
    assert orjson.loads(canonical_json(value)) == value


@given(safe_json)
def test_safe_values_are_canonical(value):
    check_canonical(value)


UNSAFE = (1.0, 2**53, -(2**53), 2**70, float("nan"), "\ud800", (1,), b"", 1e300)


@given(safe_json, st.sampled_from(UNSAFE), st.sampled_from(["alone", "list", "dict"]))
def test_one_unsafe_value_is_found_anywhere(value, bad, place):
    check_canonical([2**53 - 1, -(2**53) + 1, True])
    wrapped = {"alone": bad, "list": [value, {"x": [bad]}], "dict": {"v": value, "x": {"y": bad}}}[place]
    with pytest.raises(UnsafeValue):
        check_canonical(wrapped)


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {"\ud800": 1}])
def test_keys_are_valid_text(value):
    with pytest.raises(UnsafeValue):
        check_canonical(value)
