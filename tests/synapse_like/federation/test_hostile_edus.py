"""EDUs of a hostile server, into a whole server: a damaged one harms nobody, and the good one behind it is taken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.damage import Damage, damage, damaged
from tests.synapse_like.federation.hostile_scene import ENOUGH, Scene, faults, hostile

__all__ = ["hostile"]

_DEVICE: dict[str, Any] = {
    "user_id": "@xavier:three",
    "device_id": "D",
    "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
    "keys": {"ed25519:D": "x", "curve25519:D": "y"},
    "signatures": {"@xavier:three": {"ed25519:D": "z"}},
}
_KEY: dict[str, Any] = {"user_id": "@xavier:three", "usage": ["master"], "keys": {"ed25519:m": "m"}, "signatures": {}}
EDUS: dict[str, Any] = {
    "m.typing": {"room_id": "ROOM", "user_id": "@xavier:three", "typing": True},
    "m.receipt": {"ROOM": {"m.read": {"@xavier:three": {"event_ids": ["$x"], "data": {"ts": 1, "thread_id": "main"}}}}},
    "m.presence": {
        "push": [
            {
                "user_id": "@xavier:three", "presence": "online", "last_active_ago": 5, "status_msg": "s",
                "currently_active": True,
            }
        ]
    },
    "m.direct_to_device": {
        "sender": "@xavier:three",
        "type": "m.room_key_request",
        "message_id": "ID",
        "messages": {"@alice:one": {"*": {"a": {"b": "c"}}, "D": {"x": [1]}}},
    },
    "m.device_list_update": {
        "user_id": "@xavier:three", "device_id": "D", "stream_id": 5, "prev_id": [4], "deleted": False,
        "device_display_name": "d", "keys": _DEVICE,
    },
    "m.signing_key_update": {
        "user_id": "@xavier:three", "master_key": _KEY, "self_signing_key": {**_KEY, "usage": ["self_signing"]},
    },
}  # fmt: skip
_edu = st.tuples(st.sampled_from(list(EDUS)), st.lists(damage, min_size=1, max_size=3))


def made(kind: str, damages: list[Damage], room_id: str, number: int) -> Any:
    """A damaged EDU of a type."""
    text = {"ROOM": room_id, "ID": f"id{number}"}
    edu = {"edu_type": kind, "content": _filled(EDUS[kind], text)}
    return damaged(edu, damages)


def _filled(value: Any, text: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {text.get(key, key): _filled(each, text) for key, each in value.items()}
    return (
        [_filled(each, text) for each in value]
        if isinstance(value, list)
        else text.get(value, value)
        if isinstance(value, str)
        else value
    )


@ENOUGH
@given(edus=st.lists(_edu, min_size=1, max_size=4), answer=st.lists(damage, max_size=2))
@pytest.mark.timeout(170)
async def test_damaged_edus_harm_nobody(
    hostile: Scene, caplog: pytest.LogCaptureFixture, edus: list[Any], answer: list[Damage]
) -> None:
    """What Xavier's server answers about his devices, when a damaged update makes us ask, is damaged as well."""
    caplog.clear()
    one, room_id = hostile.one, hostile.rooms["11"]
    hostile.three.devices = damaged(
        {
            "user_id": "@xavier:three",
            "stream_id": 7,
            "devices": [{"device_id": "D", "keys": _DEVICE}],
            "master_key": _KEY,
        },
        answer,
    )
    since = (await one.sync(hostile.alice))["next_batch"]
    good = [
        {"edu_type": "m.typing", "content": {**EDUS["m.typing"], "room_id": room_id, "typing": on}}
        for on in (False, True)
    ]
    bad = [made(kind, damages, room_id, hostile.sent) for kind, damages in edus]
    status, told = await hostile.send([], [good[0], *bad, good[1]])
    if status == 400:
        assert told["errcode"] in ("M_NOT_JSON", "M_BAD_JSON")
        status, told = await hostile.send([], good)
    assert (status, told) == (200, {"pdus": {}})
    await one.caught_up()
    await one.quiet()
    answered = await one.sync(hostile.alice, since)
    ephemeral = answered["rooms"]["join"][room_id]["ephemeral"]["events"]
    assert {"user_ids": ["@xavier:three"]} in [event["content"] for event in ephemeral if event["type"] == "m.typing"]
    asked = await one.ok("POST", "/keys/query", {"device_keys": {"@xavier:three": []}}, token=hostile.alice)
    assert set(asked["device_keys"]) <= {"@xavier:three"}
    assert faults(caplog) == []
