"""Request bodies: JSON, its shape, its depth."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.errors import BadJson, MatrixError, NotJson
from synapse_like.toolkit.http import Endpoint
from synapse_like.toolkit.http.bodies import MAX_DEPTH, decode_body, is_too_deep
from tests.synapse_like.toolkit.http.wire_kit import Message

OBJECT = Endpoint("PUT", ("/x",), body=dict)
STRUCT = Endpoint("PUT", ("/x",), body=Message)


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"{", b"nonsense", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a":1}x', b'\xef\xbb\xbf{}',
     b'{"a": "\xff"}', b'{"\xff": 1}', b'{"a": "\\ud800"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\x00"}', b"{} {}",
     '{"a": 1}'.encode("utf-16")],
)  # fmt: skip
@pytest.mark.parametrize("endpoint", [OBJECT, STRUCT])
def test_refuses_what_is_not_json(raw: bytes, endpoint: Endpoint) -> None:
    with pytest.raises(NotJson):
        decode_body(raw, endpoint)


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"x"', b"true", b'{"a": 1e999}'])
def test_refuses_what_is_no_object(raw: bytes) -> None:
    with pytest.raises(BadJson):
        decode_body(raw, OBJECT)


@pytest.mark.parametrize(
    ("raw", "named"),
    [(b"{}", "msgtype"), (b'{"msgtype": 1}', "msgtype"), (b'{"msgtype": "a", "count": "1"}', "count"),
     (b'{"msgtype": "a", "count": true}', "count"), (b'{"msgtype": "a", "tags": ["a", 1]}', r"tags\[1\]"),
     (b"[]", "object"), (b'{"msgtype": null}', "msgtype")],
)  # fmt: skip
def test_names_the_wrong_field(raw: bytes, named: str) -> None:
    with pytest.raises(BadJson, match=named):
        decode_body(raw, STRUCT)


def test_takes_the_last_of_two_equal_keys_and_ignores_unknown_ones() -> None:
    assert decode_body(b'{"a": 1, "a": 2}', OBJECT) == {"a": 2}
    assert decode_body(b'{"msgtype": "a", "new": {}}', STRUCT) == Message("a")


def test_an_empty_body_counts_only_where_allowed() -> None:
    assert decode_body(b"", Endpoint("POST", ("/x",), body=dict, allows_empty_body=True)) == {}
    assert decode_body(b"whatever", Endpoint("POST", ("/x",))) == {}


def nested(depth: int) -> Any:
    value: Any = "[[[{{{"
    for level in range(depth):
        value = [value, {}] if level % 2 else {"a}": value, "b": []}
    return value


@given(st.integers(0, 2 * MAX_DEPTH))
def test_depth_is_bounded(depth: int) -> None:
    value = nested(depth)
    assert is_too_deep(json.dumps(value).encode()) == (_depth(value) > MAX_DEPTH)


@given(st.lists(st.text('"\\[]{}a', max_size=6), max_size=60), st.sampled_from([MAX_DEPTH, MAX_DEPTH + 1]))
def test_brackets_quotes_and_backslashes_in_strings_are_only_characters(texts: list[str], depth: int) -> None:
    value: Any = {"[": [{}] * MAX_DEPTH}
    for level in range(depth - 3):
        value = {text: text for text in texts} | {"in": value} if level % 2 else [*texts, value, *texts]
    assert _depth(value) == depth
    assert is_too_deep(json.dumps(value).encode()) == (depth > MAX_DEPTH)


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max((_depth(inner) for inner in (value.values() if isinstance(value, dict) else value)), default=0)


@pytest.mark.parametrize(
    "raw", [b"[" * 500_000, b'{"a":' * 100_000, b"[" * 5000 + b"]" * 5000, b'"\\' * 200_000 + b"[" * 500]
)
def test_depth_without_end_is_refused(raw: bytes) -> None:
    with pytest.raises(MatrixError) as caught:
        decode_body(raw, OBJECT)
    assert caught.value.status == 400


@given(st.binary(max_size=300))
def test_any_bytes_give_an_object_or_an_error_of_ours(raw: bytes) -> None:
    try:
        assert isinstance(decode_body(raw, OBJECT), dict)
    except (BadJson, NotJson) as error:
        assert error.status == 400
