"""Which names new users may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.features.registration.names import user_id_for
from synapse_like.matrix.errors import InvalidUsername
from synapse_like.matrix.ids import is_valid_user_id


@given(st.text())
def test_a_name_gives_a_valid_user_id_or_none(name: str) -> None:
    try:
        user_id = user_id_for(name, "example.com")
    except InvalidUsername:
        return
    assert is_valid_user_id(user_id, historical=False)


@pytest.mark.parametrize("name", ["", "a b", "é", "a:b", "_bot", "123", "a\0", "a\n", "x" * 250, "@alice:test"])
def test_names_that_nobody_may_have(name: str) -> None:
    with pytest.raises(InvalidUsername):
        user_id_for(name, "example.com")


@pytest.mark.parametrize(("name", "localpart"), [("Alice", "alice"), ("a.b_c=d-e/f+1", "a.b_c=d-e/f+1"), ("1a", "1a")])
def test_names_that_somebody_may_have(name: str, localpart: str) -> None:
    assert user_id_for(name, "example.com") == f"@{localpart}:example.com"


def test_an_underscore_may_be_allowed() -> None:
    assert user_id_for("_bot", "example.com", allows_underscore=True) == "@_bot:example.com"
