"""Password hashes are bcrypt's, with pepper, whatever the password."""

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_like.toolkit.passwords import hash_password, is_password


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1).filter(lambda text: "\x00" not in text), st.text(alphabet="abc", max_size=5))
def test_the_right_password_matches(password, pepper):
    assert is_password(password, hash_password(password, pepper, rounds=4), pepper)


def test_another_password_or_pepper_does_not():
    stored = hash_password("right", "pepper", rounds=4)
    assert not is_password("wrong", stored, "pepper")
    assert not is_password("right", stored, "salt")


@pytest.mark.parametrize("stored", ["", "x", "$2b$04$short"])
def test_what_is_no_hash_matches_nothing(stored):
    assert not is_password("", stored)


def test_a_hash_that_synapse_stored_is_understood():
    stored = bcrypt.hashpw("pässwordpepper".encode(), bcrypt.gensalt(4)).decode()
    assert is_password("pa\u0308ssword", stored, "pepper")
    assert stored.startswith("$2b$")
