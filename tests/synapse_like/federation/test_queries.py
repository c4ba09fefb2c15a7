"""What servers ask each other: profiles, aliases, published rooms; both ways."""

from typing import Any

import pytest

from synapse_like.federation.errors import RemoteError
from tests.kit.homeserver import TestServer
from tests.kit.remote_servers import Remotes, member

BOB = "@bob:one"
_V1 = "/_matrix/federation/v1"


async def test_profiles_of_others_are_asked_for(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    profile = {"displayname": "Bob", "avatar_url": 7, "m.tz": "Europe/Berlin", "BAD KEY": 1}
    remotes.answer = lambda *_: profile
    assert await server.ok("GET", f"/profile/{BOB}", token=alice) == {"displayname": "Bob", "m.tz": "Europe/Berlin"}
    assert await server.ok("GET", f"/profile/{BOB}/displayname", token=alice) == {"displayname": "Bob"}
    assert (await server.request("GET", f"/profile/{BOB}/avatar_url", token=alice)).status == 404
    assert remotes.asked[0] == ("one", f"{_V1}/query/profile", {"user_id": BOB})


@pytest.mark.parametrize(
    ("answer", "status"), [([], 502), ({"displayname": "x" * 70_000}, 502), ({}, 200), ({"displayname": None}, 200)]
)
async def test_odd_profiles_of_others_are_errors(
    server: TestServer, remotes: Remotes, answer: Any, status: int
) -> None:
    alice = await server.register("alice")
    remotes.answer = lambda *_: answer
    found = await server.request("GET", f"/profile/{BOB}", token=alice)
    assert found.status == status and (status != 200 or found.body == {})


async def test_a_refusal_is_passed_on_and_a_dead_server_is_an_error(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    found = await server.request("GET", f"/profile/{BOB}", token=alice)
    assert (found.status, found.body["errcode"]) == (404, "M_NOT_FOUND")
    remotes.dead.add("one")
    assert (await server.request("GET", f"/profile/{BOB}", token=alice)).status == 502


async def test_other_servers_see_profiles_of_ours(server: TestServer, remotes: Remotes) -> None:
    await server.register("alice")
    status, shown = await remotes.ask("one", "GET", f"{_V1}/query/profile?user_id=@alice:test")
    assert (status, shown) == (200, {"displayname": "alice"})
    status, shown = await remotes.ask("one", "GET", f"{_V1}/query/profile?user_id=@alice:test&field=avatar_url")
    assert (status, shown) == (200, {})
    for query, expected in (("", 400), ("?user_id=x", 400), ("?user_id=@b:one", 400), ("?user_id=@no:test", 404)):
        assert (await remotes.ask("one", "GET", f"{_V1}/query/profile{query}"))[0] == expected


@pytest.mark.config(allow_profile_lookup_over_federation=False)
async def test_profiles_can_be_kept_from_other_servers(server: TestServer, remotes: Remotes) -> None:
    await server.register("alice")
    assert (await remotes.ask("one", "GET", f"{_V1}/query/profile?user_id=@alice:test"))[0] == 403


@pytest.mark.config(limit_profile_requests_to_users_who_share_rooms=True)
async def test_profiles_can_be_for_those_who_share_a_room(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    question = f"{_V1}/query/profile?user_id=@alice:test"
    assert (await remotes.ask("one", "GET", question))[0] == 403
    room_id = await server.create_room(alice, preset="public_chat")
    await member(server, room_id, BOB)
    assert (await remotes.ask("one", "GET", question))[0] == 200
    assert (await remotes.ask("two", "GET", question))[0] == 403


async def test_other_servers_find_rooms_by_alias(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat", room_alias_name="lounge")
    await member(server, room_id, BOB)
    status, found = await remotes.ask("one", "GET", f"{_V1}/query/directory?room_alias=%23lounge:test")
    assert (status, found) == (200, {"room_id": room_id, "servers": ["test", "one"]})
    for alias, expected in (("%23none:test", 404), ("%23lounge:one", 404), ("lounge", 400)):
        assert (await remotes.ask("one", "GET", f"{_V1}/query/directory?room_alias={alias}"))[0] == expected
    assert (await remotes.ask("one", "GET", f"{_V1}/query/directory"))[0] == 400


@pytest.mark.config(allow_public_rooms_over_federation=True)
async def test_other_servers_see_published_rooms(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    for name in ("tea", "coffee"):
        await server.create_room(alice, visibility="public", preset="public_chat", name=name)
    status, page = await remotes.ask("one", "GET", f"{_V1}/publicRooms?limit=1")
    assert status == 200 and len(page["chunk"]) == 1 and page["total_room_count_estimate"] == 2
    status, rest = await remotes.ask("one", "GET", f"{_V1}/publicRooms?limit=1&since={page['next_batch']}")
    assert {room["name"] for room in (*page["chunk"], *rest["chunk"])} == {"tea", "coffee"}
    body = {"limit": 10, "filter": {"generic_search_term": "TEA"}}
    status, found = await remotes.ask("one", "POST", f"{_V1}/publicRooms", body)
    assert [room["name"] for room in found["chunk"]] == ["tea"]


async def test_published_rooms_are_not_for_other_servers_by_default(server: TestServer, remotes: Remotes) -> None:
    assert (await remotes.ask("one", "GET", f"{_V1}/publicRooms"))[0] == 403
    assert (await remotes.ask("one", "POST", f"{_V1}/publicRooms", {}))[0] == 403


async def test_published_rooms_of_others_are_asked_for(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    room = {"room_id": "!x:one", "num_joined_members": 3, "name": "X", "world_readable": False, "guest_can_join": False}
    odd: list[Any] = [None, {}, {"room_id": 1}, {**room, "name": 7}]
    remotes.answer = lambda *_: {"chunk": [room, *odd], "next_batch": "n", "prev_batch": 7, "total": 5}
    found = await server.ok("GET", "/publicRooms", token=alice, query={"server": "one", "limit": 3, "since": "s"})
    assert found == {"chunk": [room], "next_batch": "n"}
    body = {"limit": 3, "filter": {"generic_search_term": "x"}}
    assert await server.ok("POST", "/publicRooms", body, token=alice, query={"server": "one"}) == found
    assert remotes.asked == [
        ("one", f"{_V1}/publicRooms", {"limit": "3", "since": "s"}),
        ("one", f"{_V1}/publicRooms", body),
    ]
    assert (await server.request("GET", "/publicRooms", query={"server": "one"})).status == 401
    assert (await server.request("GET", "/publicRooms", token=alice, query={"server": "no name"})).status == 400

    def refuse(*_: Any) -> Any:
        raise RemoteError("one", 403, {"errcode": "M_FORBIDDEN", "error": "not for you"})

    remotes.answer = refuse
    refused = await server.request("GET", "/publicRooms", token=alice, query={"server": "one"})
    assert (refused.status, refused.body["error"]) == (403, "not for you")
    remotes.answer = lambda *_: []
    assert (await server.request("GET", "/publicRooms", token=alice, query={"server": "one"})).status == 502
