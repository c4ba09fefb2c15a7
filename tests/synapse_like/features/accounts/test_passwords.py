"""Passwords: the policy, and what a hash is made of."""

from typing import Any

import pytest

from synapse_like.features.accounts import PasswordConfig, Passwords
from synapse_like.features.accounts.config import AccountsConfig, PasswordPolicy
from synapse_like.matrix.errors import InvalidParam, WeakPassword
from synapse_like.toolkit.config import Secret
from synapse_like.toolkit.passwords import is_password
from tests.kit.accounts import log_in, sqlite_server
from tests.kit.homeserver import TestServer

__all__ = ["sqlite_server"]

STRICT = PasswordPolicy(
    enabled=True,
    minimum_length=8,
    require_digit=True,
    require_symbol=True,
    require_lowercase=True,
    require_uppercase=True,
)


def passwords(**password_config: Any) -> Passwords:
    unused: Any = None
    return Passwords(unused, AccountsConfig(PasswordConfig(**password_config), bcrypt_rounds=4))


@pytest.mark.parametrize("password", ["Ab1!", "abcdefg1!", "ABCDEFG1!", "Abcdefgh!", "Abcdefgh1", ""])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        passwords(policy=STRICT).check_new(password)


def test_a_strong_password_is_taken() -> None:
    passwords(policy=STRICT).check_new("Correct horse 1!")


@pytest.mark.parametrize("password", ["x" * 513, "nul\0"])
def test_a_password_that_cannot_be_stored_is_refused(password: str) -> None:
    with pytest.raises(InvalidParam):
        passwords().check_new(password)


def test_without_a_policy_any_password_will_do() -> None:
    passwords().check_new("x")


async def test_the_pepper_is_part_of_the_hash() -> None:
    hashed = await passwords(pepper=Secret("spice")).hash("word")
    assert is_password("word", hashed, "spice")
    assert not is_password("word", hashed)


async def test_any_wrong_password_is_wrong_and_nothing_more(server: TestServer) -> None:
    await server.register("alice")
    for password in ("wrong", "", "nul\0", "x" * 5000):
        for name in ("alice", "nobody"):
            answer = await log_in(server, name, password)
            assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")


async def test_a_password_longer_than_bcrypt_reads_works(server: TestServer) -> None:
    long = "a" * 100
    await server.register("alice", password=long)
    assert (await log_in(server, "alice", long)).status == 200
    assert (await log_in(server, "alice", "a" * 60)).status == 403
