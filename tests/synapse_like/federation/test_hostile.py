"""Transactions of a hostile server, into a whole server: damaged events harm nobody but themselves."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.federation.inbound import Staging
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.matrix.signatures import verify_event_signature
from synapse_like.rooms.facts import Kind
from synapse_like.toolkit.together import together
from tests.kit.damage import damage, damaged
from tests.synapse_like.federation.hostile_scene import ENOUGH, VERSIONS, Scene, faults, hostile

__all__ = ["hostile"]

_CONTENTS: dict[str, Any] = {
    "m.room.message": {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": "$x"}},
    "m.room.member": {"membership": "join", "displayname": "X", "avatar_url": "mxc://three/x", "reason": "y"},
    "m.room.power_levels": {
        "users": {"@xavier:three": 50},
        "users_default": 0,
        "events": {"m.room.name": 50},
        "ban": 50,
    },
    "m.room.redaction": {"redacts": "$x", "reason": "z"},
    "m.reaction": {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$x", "key": "+"}},
    "m.room.join_rules": {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!x:three"}]},
    "m.room.create": {"creator": "@xavier:three", "room_version": "10", "m.federate": True},
    "m.room.server_acl": {"allow": ["*"], "deny": [], "allow_ip_literals": True},
    "m.room.third_party_invite": {"display_name": "x", "public_key": "y", "public_keys": [{"public_key": "z"}]},
}


_MESSAGES = ("m.room.message", "m.room.redaction", "m.reaction")
_STATE = {kind: None if kind in _MESSAGES else "" for kind in _CONTENTS} | {"m.room.member": "@xavier:three"}
"""The state keys of these types; None for what is no state."""
_damages = st.lists(damage, min_size=1, max_size=3)
_bad = st.lists(st.tuples(st.sampled_from(list(_CONTENTS)), _damages, st.booleans()), min_size=1, max_size=4)


async def _sent(scene: Scene, room_id: str, version: str, bad: list[Any], place: int) -> tuple[Any, Event]:
    """Send damaged events with a good one among them; the results by id, and the good one."""
    pdus = []
    for kind, damages, is_signed in bad:
        key = {} if _STATE[kind] is None else {"state_key": _STATE[kind]}
        draft = await scene.three.draft(scene.one, room_id, kind, _CONTENTS[kind], **key)
        pdu = damaged(scene.three.sign(draft, room_version(version)), damages)
        pdus.append(scene.resigned(pdu, version) if is_signed else pdu)
    good = await scene.three.message(scene.one, room_id, "good")
    status, answer = await scene.send([*pdus[:place], good.pdu, *pdus[place:]], [])
    if status == 400:  # no JSON that anybody has to understand
        assert answer["errcode"] in ("M_NOT_JSON", "M_BAD_JSON")
        status, answer = await scene.send([good.pdu], [])
    assert status == 200, answer
    results = answer["pdus"]
    assert results[good.event_id] == {}
    assert all(result == {} or 0 < len(result["error"]) <= 400 for result in results.values())
    await scene.one.homeserver.front(Staging).idle()
    return results, good


@ENOUGH
@given(version=st.sampled_from(VERSIONS), bad=_bad, place=st.integers(0, 4))
@pytest.mark.timeout(170)
async def test_damaged_events_harm_only_themselves(
    hostile: Scene, caplog: pytest.LogCaptureFixture, version: str, bad: list[Any], place: int
) -> None:
    """A good event among damaged ones is taken; what is signed badly is never stored; every refusal says why."""
    caplog.clear()
    room_id, one = hostile.rooms[version], hostile.one
    results, good = await _sent(hostile, room_id, version, bad, place)
    stored = await one.rooms.events.get_one(good.event_id)
    assert stored is not None and stored.kind is Kind.LIVE
    key = hostile.pair.net.key_of("three").verify_key
    for event_id in results:
        found = await one.rooms.events.get_one(event_id)
        assert found is None or verify_event_signature(found.event.pdu, room_version(version), "three", key)
    await hostile.is_well(room_id)
    assert faults(caplog) == []


@ENOUGH
@given(version=st.sampled_from(VERSIONS), bad=_bad, place=st.integers(0, 4))
@pytest.mark.timeout(170)
async def test_an_admin_who_sends_nonsense_harms_the_room_at_most(
    hostile: Scene, caplog: pytest.LogCaptureFixture, version: str, bad: list[Any], place: int
) -> None:
    """Nonsense that the rules allow becomes the room's state: the room may be lost, but nobody sees a fault of ours."""
    caplog.clear()
    one = hostile.one
    levels = {"users": {"@xavier:three": 100, **({} if version == "12" else {"@alice:one": 100})}}
    room_id = await one.create_room(
        hostile.alice, preset="public_chat", room_version=version, power_level_content_override=levels
    )
    await hostile.three.join(one, room_id)
    await _sent(hostile, room_id, version, bad, place)
    one.rooms.live.drop_all()
    await hostile.is_readable(room_id)
    again = await one.request("POST", f"/rooms/{quote(room_id)}/leave", {}, token=hostile.alice)
    assert again.status < 500
    assert faults(caplog) == []


_FIELDS = (
    "auth_events content depth event_id hashes origin_server_ts prev_events redacts room_id sender signatures "
    "state_key type unsigned"
).split()
_OTHERS: list[Any] = [None, True, 5, 1.5, "x", [], {}, [None], {"a": None}]


async def test_every_field_may_be_of_any_type(hostile: Scene, caplog: pytest.LogCaptureFixture) -> None:
    one, three = hostile.one, hostile.three
    for version, room_id in hostile.rooms.items():
        good = await three.message(one, room_id, "good")
        draft = await three.draft(one, room_id, "m.room.redaction", {"redacts": "$x"}, redacts="$x", state_key="")
        base = three.sign(draft, room_version(version))
        odd = [{**base, field: other} for field in _FIELDS for other in _OTHERS]
        for start in range(0, len(odd), 49):
            status, answer = await hostile.send([*odd[start : start + 49], good.pdu], [])
            assert (status, answer["pdus"].pop(good.event_id)) == (200, {})
            assert all(result == {} or result["error"] for result in answer["pdus"].values())
        await hostile.is_well(room_id)
    assert faults(caplog) == []


async def test_replayed_transactions_are_answered_from_memory(hostile: Scene) -> None:
    """A hundred repeats, also at the same time, store nothing and tell nothing new."""
    room_id, one = hostile.rooms["11"], hostile.one
    events = await hostile.three.chain(one, room_id, 5)
    since = (await one.sync(hostile.alice))["next_batch"]
    sent = [hostile.three.transaction(one, events, transaction_id="again") for _ in range(100)]
    answers = await together(sent)
    assert answers == [(200, {"pdus": {event.event_id: {} for event in events}})] * 100
    await one.caught_up()
    timeline = (await one.sync(hostile.alice, since))["rooms"]["join"][room_id]["timeline"]["events"]
    assert [event["event_id"] for event in timeline] == [event.event_id for event in events]
