"""POST /createRoom: every option, every preset, versions before and from 12."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from synapse_like.matrix.errors import RoomInUse
from synapse_like.matrix.room_versions import ROOM_VERSIONS
from synapse_like.rooms.front import Draft
from tests.kit.homeserver import TestServer
from tests.kit.room_features import house, member_of, state_of

__all__ = ["house"]


async def create(house: TestServer, **options: Any) -> tuple[int, Any]:
    answer = await house.request("POST", "/createRoom", options, token="alice")
    return answer.status, answer.body


@pytest.mark.parametrize("version", list(ROOM_VERSIONS))
async def test_every_version_makes_a_room(house: TestServer, version: str) -> None:
    room_id = await house.create_room("alice", room_version=version, invite=["@bob:test"])
    state = await state_of(house, room_id)
    assert state["m.room.create", ""]["room_version"] == version
    assert (":" in room_id) == (int(version) < 12)
    assert ("creator" in state["m.room.create", ""]) == (int(version) < 11)
    assert await member_of(house, room_id, "alice") == "join"
    assert await member_of(house, room_id, "bob") == "invite"
    users = state["m.room.power_levels", ""]["users"]
    assert users == ({} if version == "12" else {"@alice:test": 100})


@pytest.mark.parametrize("version", ["11", "12"])
async def test_rooms_that_are_made_at_once_are_as_many_rooms(house: TestServer, version: str) -> None:
    """From version 12 on a room's id follows from its create event, and so from the time."""
    making = [Deferred.fromCoroutine(house.create_room("alice", room_version=version)) for _ in range(20)]
    assert len(set(await gatherResults(making))) == 20


async def test_a_room_whose_id_is_taken_is_not_made(house: TestServer) -> None:
    room_id = await house.create_room("alice")
    create = await house.rooms.events.get_one("$" + room_id[1:])
    assert create is not None
    event = create.event
    draft = Draft(
        type=event.type,
        sender=event.sender,
        state_key="",
        content=event.content,
        origin_server_ts=event.origin_server_ts,
    )
    with pytest.raises(RoomInUse):
        await house.rooms.creation.found_room(event.room_version, None, draft, [])
    house.rooms.live.drop_all()
    with pytest.raises(RoomInUse):
        await house.rooms.creation.found_room(event.room_version, None, draft, [])
    await house.send("alice", room_id, "it is still ours")


@pytest.mark.parametrize(
    ("preset", "join_rule", "guests"),
    [
        ("private_chat", "invite", "can_join"),
        ("trusted_private_chat", "invite", "can_join"),
        ("public_chat", "public", "forbidden"),
    ],
)
async def test_presets(house: TestServer, preset: str, join_rule: str, guests: str) -> None:
    state = await state_of(house, await house.create_room("alice", preset=preset))
    assert state["m.room.join_rules", ""] == {"join_rule": join_rule}
    assert state["m.room.guest_access", ""] == {"guest_access": guests}
    assert state["m.room.history_visibility", ""] == {"history_visibility": "shared"}


async def test_options_reach_the_state_and_override_each_other(house: TestServer) -> None:
    room_id = await house.create_room(
        "alice",
        visibility="public",
        room_alias_name="pub",
        name="The Pub",
        topic="Beer",
        creation_content={"m.federate": False, "type": "m.space", "creator": "@eve:test", "room_version": "1"},
        initial_state=[
            {"type": "m.room.name", "content": {"name": "overridden"}},
            {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}},
            {"type": "org.example", "state_key": "x", "content": {"a": 1}},
        ],
        power_level_content_override={"invite": 20, "events": {"org.example": 7}},
    )
    state = await state_of(house, room_id)
    assert state["m.room.create", ""] == {"m.federate": False, "type": "m.space", "room_version": "12"}
    assert state["m.room.name", ""] == {"name": "The Pub"}
    assert state["m.room.topic", ""] == {"topic": "Beer", "m.topic": {"m.text": [{"body": "Beer"}]}}
    assert state["m.room.canonical_alias", ""] == {"alias": "#pub:test"}
    assert state["m.room.join_rules", ""] == {"join_rule": "knock"}
    assert state["org.example", "x"] == {"a": 1}
    assert state["m.room.power_levels", ""]["invite"] == 20
    assert state["m.room.power_levels", ""]["events"] == {"org.example": 7}
    found = await house.ok("GET", "/directory/room/%23pub:test")
    assert found == {"room_id": room_id, "servers": ["test"]}
    assert (await house.ok("GET", f"/directory/list/room/{room_id}"))["visibility"] == "public"


async def test_everything_is_one_commit(house: TestServer) -> None:
    await house.create_room("alice", invite=["@warm:test"])
    await house.quiet()
    house.queries.clear()
    await house.create_room("alice", invite=["@bob:test", "@carol:test"], name="x", topic="y")
    written = [query for query in house.queries if "INSERT INTO events " in query]
    assert len(written) == 1
    # Once users and types are known: one statement for the room's id, one for its servers, those of one group commit.
    await house.quiet()
    house.queries.clear()
    await house.create_room("alice", invite=["@bob:test", "@carol:test"], name="x", topic="y")
    assert len(house.queries) <= 10


async def test_trusted_private_chat_makes_everybody_equal(house: TestServer) -> None:
    order = {"preset": "trusted_private_chat", "invite": ["@bob:test", "@bob:test"], "is_direct": True}
    before = await state_of(house, await house.create_room("alice", room_version="11", **order))
    assert before["m.room.power_levels", ""]["users"] == {"@alice:test": 100, "@bob:test": 100}
    content = {"additional_creators": ["@carol:test", "@bob:test"]}
    now = await state_of(house, await house.create_room("alice", creation_content=content, **order))
    assert now["m.room.create", ""]["additional_creators"] == ["@carol:test", "@bob:test"]
    levels = now["m.room.power_levels", ""]
    assert levels["users"] == {}
    assert levels["events"]["m.room.tombstone"] == 150 > levels["state_default"]


async def test_invites_carry_what_the_invited_may_see(house: TestServer) -> None:
    room_id = await house.create_room("alice", name="Secret", invite=["@bob:test"], is_direct=True)
    room = await house.rooms.live.get(room_id)
    event = await house.rooms.events.get_one(room.members["@bob:test"].event_id)
    assert event is not None
    assert event.event.content["is_direct"] is True
    shown = {(each["type"], each["state_key"]) for each in event.extras["invite_room_state"]}
    assert shown == {
        ("m.room.create", ""),
        ("m.room.name", ""),
        ("m.room.join_rules", ""),
        ("m.room.member", "@alice:test"),
    }


@pytest.mark.parametrize(
    ("options", "status", "errcode"),
    [
        ({"room_version": "99"}, 400, "M_UNSUPPORTED_ROOM_VERSION"),
        ({"invite": ["bob"]}, 400, "M_INVALID_PARAM"),
        ({"invite": "@bob:test"}, 400, "M_BAD_JSON"),
        ({"invite_3pid": [{"medium": "email"}]}, 400, "M_SERVER_NOT_TRUSTED"),
        ({"preset": "unheard_of"}, 400, "M_BAD_JSON"),
        ({"room_alias_name": "white space"}, 400, "M_INVALID_PARAM"),
        ({"power_level_content_override": {"users": {"@alice:test": 100}}}, 400, "M_INVALID_ROOM_STATE"),
        ({"initial_state": [{"type": "m.room.create", "content": {}}]}, 400, "M_INVALID_ROOM_STATE"),
        ({"initial_state": [{"type": "a\0", "content": {}}]}, 400, "M_INVALID_PARAM"),
        ({"room_version": "11", "power_level_content_override": {"users": {}}}, 400, "M_INVALID_ROOM_STATE"),
        ({"topic": "x" * 70_000}, 413, "M_TOO_LARGE"),
        ({"name": 5}, 400, "M_BAD_JSON"),
    ],
)
async def test_refusals(house: TestServer, options: dict[str, Any], status: int, errcode: str) -> None:
    found, body = await create(house, room_alias_name=options.get("room_alias_name", "mine"), **_without(options))
    assert (found, body["errcode"]) == (status, errcode)
    # A refused room leaves nothing behind: the alias is free.
    assert (await create(house, room_alias_name="mine"))[0] == 200


async def test_an_alias_is_given_once(house: TestServer) -> None:
    assert (await create(house, room_alias_name="one"))[0] == 200
    status, body = await create(house, room_alias_name="one")
    assert (status, body["errcode"]) == (400, "M_ROOM_IN_USE")


@pytest.mark.config(
    default_room_version="10",
    default_power_level_content_override={"private_chat": {"events": {"m.room.name": 0}}, "public_chat": None},
    rc_room_creation={"per_second": 0.001, "burst_count": 2},
)
async def test_configuration(house: TestServer) -> None:
    state = await state_of(house, await house.create_room("alice"))
    assert state["m.room.create", ""]["room_version"] == "10"
    assert state["m.room.power_levels", ""]["events"] == {"m.room.name": 0}
    assert (await create(house, preset="public_chat"))[0] == 200
    status, body = await create(house)
    assert (status, body["errcode"]) == (429, "M_LIMIT_EXCEEDED")


@pytest.mark.config(rc_invites={"per_issuer": {"per_second": 0.001, "burst_count": 2}})
async def test_not_too_many_invites(house: TestServer) -> None:
    status, body = await create(house, invite=["@a:test", "@b:test", "@c:test"])
    assert (status, body["errcode"]) == (400, "M_UNKNOWN")
    assert (await create(house, invite=["@a:test", "@b:test"]))[0] == 200
    assert (await create(house, invite=["@c:test"]))[0] == 429


def _without(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "room_alias_name"}
