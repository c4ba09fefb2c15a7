"""Invites that answer an m.room.third_party_invite: the signature of the identity server stands for the sender."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from synapse_like.matrix.auth_rules.membership.signed_token import MAX_ATTEMPTS, is_signed_by_any
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.signatures import sign_json
from synapse_like.matrix.signing_keys import SigningKey
from tests.synapse_like.matrix.auth_rules.room_kit import ALICE, ALL, BOB, make_event, make_member, make_room, verdict

KEY = SigningKey.from_seed("0", b"k" * 32)
OTHER_KEY = SigningKey.from_seed("0", b"o" * 32)
PUBLIC, OTHER_PUBLIC = KEY.verify_key.to_base64(), OTHER_KEY.verify_key.to_base64()
SIGNED = sign_json({"mxid": BOB, "token": "tok"}, "identity.server", KEY)


def check(
    number: int,
    refused: str | None,
    *,
    signed: Any = SIGNED,
    keys: dict[str, Any] | None = None,
    members: dict[str, str] | None = None,
    token: str = "tok",
    inviter: str = ALICE,
) -> None:
    content = {"public_key": PUBLIC} if keys is None else keys
    offer = make_event(number, "m.room.third_party_invite", ALICE, content, state_key=token)
    state = make_room(number, members=members, more=(offer,))
    verdict(make_member(number, inviter, BOB, "invite", third_party_invite={"signed": signed}), state, refused)


@pytest.mark.parametrize("number", ALL)
def test_a_good_signature_is_enough(number: int) -> None:
    """The inviter need not be in the room any more."""
    check(number, None)
    check(number, None, members={ALICE: "leave"})


@pytest.mark.parametrize("number", ALL)
def test_any_of_the_keys_will_do(number: int) -> None:
    check(number, None, keys={"public_keys": [{"public_key": PUBLIC}]})
    listed = [{"public_key": OTHER_PUBLIC}, {"public_key": PUBLIC}]
    check(number, None, keys={"public_key": OTHER_PUBLIC, "public_keys": listed})
    check(number, None, keys={"public_key": 7, "public_keys": [None, {}, {"public_key": "!"}, {"public_key": PUBLIC}]})


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize(
    "keys",
    [{}, {"public_key": OTHER_PUBLIC}, {"public_keys": []}, {"public_keys": PUBLIC}, {"public_keys": [PUBLIC]}],
)
def test_no_other_key_will(number: int, keys: dict[str, Any]) -> None:
    check(number, "has signed it", keys=keys)


@pytest.mark.parametrize("number", ALL)
def test_the_rest_must_fit(number: int) -> None:
    check(number, "banned", members={BOB: "ban"})
    check(number, "knows no", token="another")
    check(number, "made by another", inviter="@carol:c")
    for_carol = sign_json({"mxid": "@carol:c", "token": "tok"}, "identity.server", KEY)
    check(number, "for another user", signed=for_carol)
    malformed_ones: list[Any] = [None, [], {}, {"mxid": BOB}, {"mxid": BOB, "token": 7}]
    for malformed in malformed_ones:
        check(number, "is not signed", signed=malformed)
    check(number, "for another user", signed={"token": "tok"})


@pytest.mark.parametrize("number", ALL)
def test_malformed_third_party_invites(number: int) -> None:
    """One that cannot be used does not make the invite a plain one, even for who could make that."""
    state = make_room(number, members={ALICE: "join"})
    contents: list[Any] = [None, "x", [], {}]
    for content in contents:
        verdict(make_member(number, ALICE, BOB, "invite", third_party_invite=content), state, "not signed")


@pytest.mark.parametrize(
    "signatures",
    [
        None,
        [],
        {"identity.server": None},
        {"identity.server": {}},
        {"identity.server": {"ed25519:0": None}},
        {"identity.server": {"ed25519:0": "short"}},
        {"identity.server": {"ed25519:0": "not base64 at all!"}},
        {"identity.server": {"rsa:0": SIGNED["signatures"]["identity.server"]["ed25519:0"]}},
    ],
)
def test_signatures_that_are_none(signatures: Any) -> None:
    assert not is_signed_by_any(SIGNED | {"signatures": signatures}, [PUBLIC])


def test_what_is_signed_is_everything_else() -> None:
    changed = copy.deepcopy(SIGNED)
    assert is_signed_by_any(changed | {"unsigned": {"a": 1}}, [PUBLIC])
    assert not is_signed_by_any(changed | {"mxid": ALICE}, [PUBLIC])
    assert canonical_json(changed) == canonical_json(SIGNED)


def test_floods_of_signatures_end() -> None:
    bad = {"x": {f"ed25519:{number}": KEY.signature(b"other") for number in range(40)}}
    flood = SIGNED | {"signatures": bad | SIGNED["signatures"]}
    keys = [SigningKey.from_seed("0", bytes([number]) * 32).verify_key.to_base64() for number in range(39)]
    assert MAX_ATTEMPTS < 41 * 40
    assert not is_signed_by_any(flood, [*keys, PUBLIC])
    assert is_signed_by_any(flood, [PUBLIC])
