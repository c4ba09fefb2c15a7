"""Requests of a hostile server, to every endpoint that servers have: a Matrix error at worst, and no fault of ours."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.federation.pdus import id_of
from synapse_like.matrix.room_versions import room_version
from tests.kit.damage import Damage, damage, damaged, text_of
from tests.kit.stranger import V1
from tests.synapse_like.federation.hostile_scene import ENOUGH, VERSIONS, Scene, faults, hostile
from workers.map import endpoints

__all__ = ["hostile"]

V2 = V1.replace("v1", "v2")
Made = tuple[str, dict[str, str], Any]
"""The path with names in braces, what these stand for, and the body."""


async def _membership(scene: Scene, version: str, membership: str, path: str) -> Made:
    """An event of a user of the stranger's that is sent by way of us."""
    user_id = f"@y{scene.sent}:three"
    fields = {"sender": user_id, "state_key": user_id}
    content = {"membership": membership}
    room_id = scene.rooms[version]
    pdu = await scene.three.draft(scene.one, room_id, "m.room.member", content, **fields)
    event = scene.three.sign(pdu, room_version(version))
    return path, {"room_id": room_id, "event_id": pdu.get("event_id", "$e")}, event


async def _invite(scene: Scene, version: str, path: str) -> Made:
    """An invite of Alice's to a room that we do not know."""
    room_id = "!" + "r" * 43 if version == "12" else f"!r{scene.sent}:three"
    pdu = await scene.three.draft(scene.one, scene.rooms[version], "m.room.member", {"membership": "invite"})
    pdu |= {"room_id": room_id, "state_key": "@alice:one"}
    event = scene.three.sign(pdu, room_version(version))
    shown = [{"type": "m.room.name", "state_key": "", "sender": "@x:three", "content": {"name": "x"}}]
    body: Any = {"room_version": version, "event": event, "invite_room_state": shown}
    if path.startswith(V1):
        body = {**event, "unsigned": {"invite_room_state": shown}}
    return path, {"room_id": room_id, "event_id": pdu.get("event_id", "$e")}, body


async def _plain(scene: Scene, version: str, path: str, body: Any) -> Made:
    """A request that names what there is."""
    live = await scene.one.rooms.live.get(scene.rooms[version])
    names = {
        "room_id": scene.rooms[version],
        "event_id": live.head.extremities[0].event_id,
        "user_id": "@xavier:three" if "make_" in path else "@alice:one",
    }
    return path, names, body


_missing = {"earliest_events": ["$a"], "latest_events": ["$b"], "limit": 10, "min_depth": 0}
_search = {"limit": 5, "since": "x", "filter": {"generic_search_term": "a", "room_types": [None, "m.space"]}}
_signed = {"mxid": "@alice:one", "token": "t", "signatures": {"id": {"ed25519:0": "x"}}}
_bound = {
    "invites": [{"mxid": "@alice:one", "room_id": "!x:one", "sender": "@a:one", "signed": _signed}],
    "mxid": "@a:one",
}
_third_party = {
    "type": "m.room.member", "room_id": "ROOM", "sender": "@xavier:three", "state_key": "@alice:one",
    "content": {"membership": "invite", "third_party_invite": {"display_name": "x", "signed": _signed}},
}  # fmt: skip
_PLAIN: dict[tuple[str, str], Any] = {
    ("POST", f"{V1}/get_missing_events/{{room_id}}"): _missing,
    ("POST", f"{V1}/user/keys/query"): {"device_keys": {"@alice:one": []}},
    ("POST", f"{V1}/user/keys/claim"): {"one_time_keys": {"@alice:one": {"D": "signed_curve25519"}}},
    ("POST", f"{V1}/publicRooms"): _search,
    ("PUT", f"{V1}/exchange_third_party_invite/{{room_id}}"): _third_party,
    ("PUT", f"{V1}/3pid/onbind"): _bound,
    ("POST", f"{V1}/3pid/onbind"): _bound,
    ("POST", "/_matrix/key/v2/query"): {"server_keys": {"one": {"ed25519:a": {"minimum_valid_until_ts": 5}}}},
}
_MEMBERSHIPS = {
    ("PUT", f"{V1}/send_join/{{room_id}}/{{event_id}}"): "join",
    ("PUT", f"{V2}/send_join/{{room_id}}/{{event_id}}"): "join",
    ("PUT", f"{V1}/send_leave/{{room_id}}/{{event_id}}"): "leave",
    ("PUT", f"{V2}/send_leave/{{room_id}}/{{event_id}}"): "leave",
    ("PUT", f"{V1}/send_knock/{{room_id}}/{{event_id}}"): "knock",
}
_INVITES = [("PUT", f"{V1}/invite/{{room_id}}/{{event_id}}"), ("PUT", f"{V2}/invite/{{room_id}}/{{event_id}}")]
_GETS = [
    ("GET", path)
    for _, endpoint in endpoints()
    for path in endpoint.paths
    if endpoint.method == "GET" and path.startswith(("/_matrix/federation/", "/_matrix/key/"))
]
_QUERY = (
    "event_id v limit ts dir ver user_id room_alias field access_token since suggested_only omit_members "
    "minimum_valid_until_ts include_all_networks"
).split()
_words = st.sampled_from(
    [
        "",
        "0",
        "1",
        "-1",
        "x",
        "12",
        "$a",
        "!a:b",
        "@alice:one",
        "b",
        "true",
        "9" * 30,
        "1.5",
        "a\0b",
        "#x:one",
        "x" * 5000,
        "\u202e",
    ]
)
_queries = st.lists(st.tuples(st.sampled_from(_QUERY), _words), max_size=4)
_renamed = st.one_of(
    st.none(), st.none(), st.none(), st.tuples(st.sampled_from(["room_id", "event_id", "user_id"]), _words)
)
Make = Callable[[Scene, str], Awaitable[Made]]


def _makers() -> dict[tuple[str, str], Make]:
    made: dict[tuple[str, str], Make] = {}
    for key, body in _PLAIN.items():
        made[key] = lambda scene, version, key=key, body=body: _plain(scene, version, key[1], body)  # type: ignore[misc]
    for key, membership in _MEMBERSHIPS.items():
        made[key] = lambda scene, version, key=key, membership=membership: _membership(  # type: ignore[misc]
            scene, version, membership, key[1]
        )
    for key in _INVITES:
        made[key] = lambda scene, version, key=key: _invite(scene, version, key[1])  # type: ignore[misc]
    for key in _GETS:
        made[key] = lambda scene, version, key=key: _plain(scene, version, key[1], None)  # type: ignore[misc]
    return made


MAKERS = _makers()


def test_every_endpoint_is_there() -> None:
    """`send` has tests of its own."""
    known = {
        (endpoint.method, path) for _, endpoint in endpoints() for path in endpoint.paths if path.startswith(V1[:19])
    }
    assert known - MAKERS.keys() == {("PUT", f"{V1}/send/{{transaction_id}}")}


@ENOUGH
@given(
    key=st.sampled_from(list(MAKERS)),
    version=st.sampled_from(VERSIONS),
    damages=st.lists(damage, max_size=3),
    is_signed=st.booleans(),
    query=_queries,
    renamed=_renamed,
)
@pytest.mark.timeout(170)
async def test_damaged_requests_break_nothing(
    hostile: Scene,
    caplog: pytest.LogCaptureFixture,
    key: tuple[str, str],
    version: str,
    damages: list[Damage],
    is_signed: bool,
    query: list[tuple[str, str]],
    renamed: tuple[str, str] | None,
) -> None:
    caplog.clear()
    hostile.sent += 1
    path, names, body = await MAKERS[key](hostile, version)
    body = damaged(body, damages) if body is not None else None
    if isinstance(body, dict):
        event = body.get("event", body)
        event = hostile.resigned(event, version) if is_signed else event
        body = {**body, "event": event} if "event" in body else event
        if isinstance(event, dict) and (event_id := id_of(event, room_version(version))) is not None:
            names["event_id"] = event_id
    fields = {"event_id": names["event_id"], "v": names["event_id"], "limit": "5", "ts": "1", "dir": "b"}
    fields |= {"user_id": "@alice:one", "room_alias": "#x:one", "ver": version, **dict(query)}
    names |= dict([renamed] if renamed is not None else [])
    for name, value in names.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    raw = b"" if body is None else text_of(body)
    target = f"{path}?{urlencode(fields)}" if key[0] == "GET" else path
    status, told = await hostile.pair.ask("three", "one", key[0], target, raw)
    assert status < 500, (target, told)
    assert status == 200 or str(told["errcode"]).startswith("M_"), (target, told)
    json.dumps(told, allow_nan=False)
    await hostile.is_well(hostile.rooms[version])
    assert faults(caplog) == []
