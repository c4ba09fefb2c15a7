"""Devices across the border: lists of devices, keys, cross-signing keys, and messages from device to device."""

from functools import partial
from typing import Any

import pytest
from nacl.signing import SigningKey
from signedjson.sign import sign_json
from unpaddedbase64 import encode_base64

from tests.federation.sides import Border, eventually, join, person, seen, wait_for_same_state
from tests.kit.client import V3, Client


@pytest.fixture
def pair(border: Border) -> tuple[Client, Client]:
    """Two people who share a room."""
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    room_id = alice.create_room(preset="public_chat")
    join(bob, room_id, border.host.server_name)
    wait_for_same_state(room_id, alice, bob)
    return alice, bob


def test_device_lists_and_keys(pair: tuple[Client, Client]) -> None:
    """New keys, a new device and a device that goes: the other is told, and then finds what is so."""
    for owner, other in (pair, pair[::-1]):
        since = other.sync()["next_batch"]
        _upload(owner)
        since = seen(other, since, partial(_changed, owner), "new keys")
        assert _devices(other, owner).keys() == {owner.device_id}
        second = Client(owner.url).login(owner.user_id[1:].partition(":")[0])
        _upload(second)
        both = {owner.device_id, second.device_id}
        since = seen(other, since, partial(_changed, owner), "a new device")
        eventually(partial(_has_devices, other, owner, both), "both devices")
        second.call("POST", f"{V3}/logout", {})
        seen(other, since, partial(_changed, owner), "a device that goes")
        one = {owner.device_id}
        eventually(partial(_has_devices, other, owner, one), "one device")


def test_one_time_keys_are_claimed_once(pair: tuple[Client, Client]) -> None:
    """Two keys and a fallback key: three claims get three different keys, a fourth the fallback key again."""
    for owner, other in (pair, pair[::-1]):
        _upload(owner, one_time=2)
        claimed = [_claim(other, owner) for _ in range(4)]
        assert len({next(iter(each)) for each in claimed}) == 3
        assert claimed[2] == claimed[3]
        assert claimed[3].popitem()[1]["fallback"] is True


def test_messages_from_device_to_device(pair: tuple[Client, Client]) -> None:
    """Each arrives once, in order; ``*`` reaches all devices of a user."""
    for sender, receiver in (pair, pair[::-1]):
        since = receiver.sync()["next_batch"]
        count = 25
        for number in range(count):
            _send_to_device(sender, receiver, receiver.device_id, number)
        _send_to_device(sender, receiver, "*", count)
        arrived: list[int] = []

        def look(response: Any, arrived: list[int] = arrived, sender: Client = sender) -> bool:
            for event in response.get("to_device", {}).get("events", []):
                assert (event["sender"], event["type"]) == (sender.user_id, "org.example.note")
                arrived.append(event["content"]["number"])
            return len(arrived) > 25

        seen(receiver, since, look, "all messages")
        assert arrived == list(range(count + 1))


def test_cross_signing_keys(pair: tuple[Client, Client]) -> None:
    """Who sets up cross-signing is found with these keys by the other side; its user-signing key stays private."""
    for owner, other in (pair, pair[::-1]):
        _upload(owner)
        since = other.sync()["next_batch"]
        master = SigningKey.generate()
        keys = {"master_key": _cross_signing_key(owner, "master", master)}
        for usage in ("self_signing", "user_signing"):
            key = _cross_signing_key(owner, usage, SigningKey.generate())
            keys[f"{usage}_key"] = sign_json(key, owner.user_id, _named(master))
        owner.call("POST", f"{V3}/keys/device_signing/upload", _authenticated(owner, keys))
        seen(other, since, partial(_changed, owner), "new cross-signing keys")

        def known(owner: Client = owner, other: Client = other, keys: Any = keys) -> bool:
            found = other.call("POST", f"{V3}/keys/query", {"device_keys": {owner.user_id: []}})
            assert owner.user_id not in found.get("user_signing_keys", {})
            return all(
                found.get(f"{usage}_keys", {}).get(owner.user_id, {}).get("keys") == keys[f"{usage}_key"]["keys"]
                for usage in ("master", "self_signing")
            )

        eventually(known, "the other's cross-signing keys")


def _upload(client: Client, one_time: int = 0) -> None:
    """Upload device keys; with one-time keys, a fallback key too."""
    key = SigningKey.generate()
    public = encode_base64(key.verify_key.encode())
    device = {
        "user_id": client.user_id,
        "device_id": client.device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {f"ed25519:{client.device_id}": public, f"curve25519:{client.device_id}": public},
    }
    body: dict[str, Any] = {"device_keys": _signed(client, device, key)}
    if one_time:
        body["one_time_keys"] = {
            f"signed_curve25519:AAAA{number}": _signed(client, {"key": f"{public[:-1]}{number}"}, key)
            for number in range(one_time)
        }
        fallback = {"key": f"{public[:-1]}F", "fallback": True}
        body["fallback_keys"] = {"signed_curve25519:FALLBACK": _signed(client, fallback, key)}
    client.call("POST", f"{V3}/keys/upload", body)


def _signed(client: Client, what: dict[str, Any], key: SigningKey) -> dict[str, Any]:
    return dict(sign_json(what, client.user_id, _named(key, client.device_id)))


def _named(key: SigningKey, version: str = "") -> Any:
    """The key with the name that signedjson wants; a cross-signing key is called by its public half."""
    named: Any = key
    named.alg, named.version = "ed25519", version or encode_base64(key.verify_key.encode())
    return named


def _cross_signing_key(client: Client, usage: str, key: SigningKey) -> dict[str, Any]:
    public = encode_base64(key.verify_key.encode())
    return {"user_id": client.user_id, "usage": [usage], "keys": {f"ed25519:{public}": public}}


def _authenticated(client: Client, keys: dict[str, Any]) -> dict[str, Any]:
    identifier = {"type": "m.id.user", "user": client.user_id}
    return {
        **keys,
        "auth": {"type": "m.login.password", "identifier": identifier, "password": "a long enough password"},
    }


def _changed(owner: Client, response: Any) -> str | None:
    """The response's token if it says that a user's devices have changed."""
    changed = response.get("device_lists", {}).get("changed", [])
    return str(response["next_batch"]) if owner.user_id in changed else None


def _devices(asker: Client, owner: Client) -> dict[str, Any]:
    found = asker.call("POST", f"{V3}/keys/query", {"device_keys": {owner.user_id: []}})
    assert not found.get("failures"), found
    return dict(found["device_keys"].get(owner.user_id, {}))


def _has_devices(asker: Client, owner: Client, wanted: set[str]) -> bool:
    return _devices(asker, owner).keys() == wanted


def _claim(asker: Client, owner: Client) -> dict[str, Any]:
    wanted = {"one_time_keys": {owner.user_id: {owner.device_id: "signed_curve25519"}}}
    found = asker.call("POST", f"{V3}/keys/claim", wanted)
    return dict(found["one_time_keys"][owner.user_id][owner.device_id])


def _send_to_device(sender: Client, receiver: Client, device_id: str, number: int) -> None:
    path = f"{V3}/sendToDevice/org.example.note/{sender.user_id}-{number}"
    sender.call("PUT", path, {"messages": {receiver.user_id: {device_id: {"number": number}}}})
