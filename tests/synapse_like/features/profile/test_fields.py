"""What fields of a profile may be called and hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.features.profile.fields import MAX_PROFILE_BYTES, check_key, check_size, value_in
from synapse_like.matrix.errors import BadJson, InvalidParam, KeyTooLarge, MatrixError, MissingParam, ProfileTooLarge


@pytest.mark.parametrize("key", ["displayname", "avatar_url", "m.tz", "org.example.job_title", "a", "a-b", "a" * 255])
def test_good_names(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", "Name", "1a", ".a", "a b", "é", "a\n", "\ud800", "a/b"])
def test_bad_names(key: str) -> None:
    with pytest.raises(InvalidParam):
        check_key(key)


def test_long_names() -> None:
    with pytest.raises(KeyTooLarge):
        check_key("a" * 256)


@given(st.text(max_size=300))
def test_a_name_passes_or_is_refused_with_a_matrix_error(key: str) -> None:
    try:
        check_key(key)
    except MatrixError as error:
        assert error.status == 400
    else:
        assert key.isascii() and key == key.lower() and 0 < len(key) <= 255


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("displayname", 1, BadJson),
        ("displayname", "x" * 257, InvalidParam),
        ("displayname", "a\0", InvalidParam),
        ("avatar_url", {}, BadJson),
        ("avatar_url", "https://example.com/a.png", InvalidParam),
        ("avatar_url", "mxc://" + "x" * 1000, InvalidParam),
        ("m.tz", 1, InvalidParam),
        ("m.tz", None, InvalidParam),
    ],
)
def test_wrong_values(key: str, value: Any, error: type[MatrixError]) -> None:
    with pytest.raises(error):
        value_in({key: value}, key)


@pytest.mark.parametrize(
    ("key", "value", "becomes"),
    [
        ("displayname", "Ann", "Ann"),
        ("displayname", "", None),
        ("displayname", None, None),
        ("avatar_url", "mxc://x/y", "mxc://x/y"),
        ("avatar_url", "", None),
        ("m.tz", "Europe/Berlin", "Europe/Berlin"),
        ("org.example.x", None, None),
        ("org.example.x", {"a": [1.5]}, {"a": [1.5]}),
    ],
)
def test_good_values(key: str, value: Any, becomes: Any) -> None:
    assert value_in({key: value, "other": 1}, key) == becomes


def test_a_missing_value() -> None:
    with pytest.raises(MissingParam):
        value_in({"displayname": "Ann"}, "m.tz")


def test_the_size_is_that_of_the_whole_profile() -> None:
    frame = len('{"a.b":""}')
    check_size({"a.b": "x" * (MAX_PROFILE_BYTES - frame)})
    with pytest.raises(ProfileTooLarge):
        check_size({"a.b": "x" * (MAX_PROFILE_BYTES - frame + 1)})
    with pytest.raises(BadJson):
        check_size({"a.b": float("nan")})
