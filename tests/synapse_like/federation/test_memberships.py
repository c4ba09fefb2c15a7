"""Memberships across two of our servers: invites and how they end, knocks, restricted rooms, kicks, bans, returns."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.matrix.room_versions import room_version
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair, pair
from tests.kit.stranger import Stranger

__all__ = ["pair"]

ALICE, BOB = "@alice:one", "@bob:two"


class People:
    """Alice on `one`, Bob on `two`, and their tokens."""

    def __init__(self, pair: Pair, alice: str, bob: str) -> None:
        self.pair = pair
        self.one, self.two = pair.servers["one"], pair.servers["two"]
        self.alice, self.bob = alice, bob

    async def do(
        self, server: TestServer, token: str, action: str, room_id: str, body: Any = None, **query: Any
    ) -> Any:
        """A POST below a room that must succeed; then everybody hears of it."""
        answer = await server.ok("POST", f"/rooms/{quote(room_id)}/{action}", body or {}, token=token, query=query)
        await self.pair.settled()
        return answer

    async def memberships(self, room_id: str, user_id: str) -> tuple[str | None, str | None]:
        """A user's membership as both servers see it."""
        return (
            await self.one.rooms.memberships.of(user_id, room_id),
            await self.two.rooms.memberships.of(user_id, room_id),
        )

    async def of_bob(self, room_id: str) -> dict[str, Any]:
        """Where the room stands in a first /sync of Bob's: section and content."""
        rooms = (await self.two.sync(self.bob, filter='{"room":{"include_leave":true}}')).get("rooms", {})
        return {section: found[room_id] for section, found in rooms.items() if room_id in found}


async def people(pair: Pair) -> People:
    return People(pair, await pair.servers["one"].register("alice"), await pair.servers["two"].register("bob"))


@pytest.mark.parametrize("version", ["1", "6", "10", "11", "12"])
async def test_an_invite_is_shown_and_accepted(pair: Pair, version: str) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice, room_version=version, name="Secret")
    await p.do(p.one, p.alice, "invite", room_id, {"user_id": BOB, "reason": "come"})
    state = (await p.of_bob(room_id))["invite"]["invite_state"]["events"]
    kinds = {(event["type"], event["state_key"]) for event in state}
    assert {("m.room.name", ""), ("m.room.create", ""), ("m.room.member", BOB), ("m.room.member", ALICE)} <= kinds
    assert all(set(event) <= {"type", "state_key", "sender", "content"} for event in state)
    assert await p.memberships(room_id, BOB) == ("invite", "invite")
    await p.do(p.two, p.bob, "join", room_id)
    assert await p.memberships(room_id, BOB) == ("join", "join")
    assert list(await p.of_bob(room_id)) == ["join"]


async def test_a_room_made_with_guests_of_elsewhere(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice, invite=[BOB, "@nobody:nowhere"], is_direct=True)
    await pair.settled()
    event = next(e for e in (await p.of_bob(room_id))["invite"]["invite_state"]["events"] if e["state_key"] == BOB)
    assert event["content"]["is_direct"] is True
    assert await p.one.rooms.memberships.of("@nobody:nowhere", room_id) is None


async def test_users_who_do_not_exist_are_not_invited(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice)
    answer = await p.one.request("POST", f"/rooms/{quote(room_id)}/invite", {"user_id": "@x:two"}, token=p.alice)
    assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")
    assert await p.memberships(room_id, "@x:two") == (None, None)


async def test_an_invite_is_refused(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice)
    await p.do(p.one, p.alice, "invite", room_id, {"user_id": BOB})
    since = (await p.two.sync(p.bob))["next_batch"]
    await p.do(p.two, p.bob, "leave", room_id, {"reason": "no"})
    assert await p.memberships(room_id, BOB) == ("leave", "leave")
    left = (await p.two.sync(p.bob, since))["rooms"]["leave"][room_id]
    assert left["timeline"]["events"][0]["content"] == {"membership": "leave", "reason": "no"}
    await p.do(p.two, p.bob, "forget", room_id)
    assert await p.of_bob(room_id) == {}


async def test_an_invite_is_refused_when_the_other_side_is_dead(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice)
    await p.do(p.one, p.alice, "invite", room_id, {"user_id": BOB})
    pair.net.cut.add("one")
    await p.two.ok("POST", f"/rooms/{quote(room_id)}/leave", {}, token=p.bob)
    await p.two.caught_up()
    assert await p.memberships(room_id, BOB) == ("invite", "leave")
    pair.net.cut.clear()
    await p.do(p.one, p.alice, "kick", room_id, {"user_id": BOB})
    await p.do(p.one, p.alice, "invite", room_id, {"user_id": BOB})
    await p.do(p.two, p.bob, "join", room_id)
    assert await p.memberships(room_id, BOB) == ("join", "join")


async def test_an_invite_is_taken_back(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice)
    await p.do(p.one, p.alice, "invite", room_id, {"user_id": BOB})
    await p.do(p.one, p.alice, "kick", room_id, {"user_id": BOB})
    assert await p.memberships(room_id, BOB) == ("leave", "leave")


@pytest.mark.parametrize("version", ["7", "11", "12"])
async def test_a_knock_and_its_answers(pair: Pair, version: str) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(
        p.alice, room_version=version, name="Door", initial_state=[_state("m.room.join_rules", {"join_rule": "knock"})]
    )
    await p.two.ok("POST", f"/knock/{quote(room_id)}", {"reason": "hi"}, token=p.bob, query={"via": "one"})
    await pair.settled()
    assert await p.memberships(room_id, BOB) == ("knock", "knock")
    shown = (await p.of_bob(room_id))["knock"]["knock_state"]["events"]
    assert {"name": "Door"} in [event["content"] for event in shown]
    await p.do(p.two, p.bob, "leave", room_id)
    assert await p.memberships(room_id, BOB) == ("leave", "leave")
    await p.two.ok("POST", f"/knock/{quote(room_id)}", {}, token=p.bob, query={"server_name": "one"})
    await pair.settled()
    await p.do(p.one, p.alice, "kick", room_id, {"user_id": BOB})
    assert await p.memberships(room_id, BOB) == ("leave", "leave")
    await p.two.ok("POST", f"/knock/{quote(room_id)}", {}, token=p.bob, query={"via": "one"})
    await pair.settled()
    await p.do(p.one, p.alice, "invite", room_id, {"user_id": BOB})
    await p.do(p.two, p.bob, "join", room_id)
    assert await p.memberships(room_id, BOB) == ("join", "join")


@pytest.mark.parametrize("version", ["8", "10", "12"])
async def test_a_restricted_room_lets_members_of_the_other_in(pair: Pair, version: str) -> None:
    p = await people(pair)
    space = await p.one.create_room(p.alice, preset="public_chat", room_version=version)
    rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]}
    room_id = await p.one.create_room(p.alice, room_version=version, initial_state=[_state("m.room.join_rules", rule)])
    refused = await p.two.request("POST", f"/join/{quote(room_id)}", {}, token=p.bob, query={"via": "one"})
    assert (refused.status, refused.body["errcode"]) == (403, "M_FORBIDDEN")
    await p.two.ok("POST", f"/join/{quote(space)}", {}, token=p.bob, query={"via": "one"})
    await pair.settled()
    await p.two.ok("POST", f"/join/{quote(room_id)}", {}, token=p.bob, query={"via": "one"})
    await pair.settled()
    assert await p.memberships(room_id, BOB) == ("join", "join")
    for server in (p.one, p.two):
        member = (await server.rooms.memberships.rooms_of(BOB))[room_id]
        event = await server.rooms.events.get_one(member.event_id)
        assert event is not None
        assert event.event.content["join_authorised_via_users_server"] == ALICE
        assert set(event.event.pdu["signatures"]) == {"one", "two"}


async def test_kicked_banned_and_let_in_again(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice, preset="public_chat")
    await p.do(p.two, p.bob, "join", room_id, via="one")
    await p.do(p.one, p.alice, "kick", room_id, {"user_id": BOB})
    assert await p.memberships(room_id, BOB) == ("leave", "leave")
    await p.one.send(p.alice, room_id, "while he is away")
    await p.one.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.name", {"name": "New"}, token=p.alice)
    await p.do(p.two, p.bob, "join", room_id, via="one")
    assert await p.memberships(room_id, BOB) == ("join", "join")
    live = await p.two.rooms.live.get(room_id)
    assert live.state["m.room.name", ""].event.content == {"name": "New"}
    await p.do(p.one, p.alice, "ban", room_id, {"user_id": BOB})
    assert await p.memberships(room_id, BOB) == ("ban", "ban")
    refused = await p.two.request("POST", f"/join/{quote(room_id)}", {}, token=p.bob, query={"via": "one"})
    assert refused.status == 403
    await p.do(p.one, p.alice, "unban", room_id, {"user_id": BOB})
    await p.do(p.two, p.bob, "join", room_id, via="one")
    sent = await p.two.send(p.bob, room_id, "I am back")
    await pair.settled()
    page = await p.one.ok("GET", f"/rooms/{quote(room_id)}/messages", token=p.alice, query={"dir": "b"})
    assert page["chunk"][0]["event_id"] == sent


async def test_those_of_the_other_server_have_power_too(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(
        p.alice, preset="public_chat", room_version="11", power_level_content_override={"users": {ALICE: 100, BOB: 50}}
    )
    await p.do(p.two, p.bob, "join", room_id, via="one")
    carol = await p.one.register("carol")
    await p.do(p.one, carol, "join", room_id)
    await p.do(p.two, p.bob, "ban", room_id, {"user_id": "@carol:one"})
    assert await p.memberships(room_id, "@carol:one") == ("ban", "ban")
    refused = await p.two.request("POST", f"/rooms/{quote(room_id)}/kick", {"user_id": ALICE}, token=p.bob)
    assert refused.status == 403


async def test_everybody_leaves_and_one_comes_back(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice, preset="public_chat")
    await p.do(p.two, p.bob, "join", room_id, via="one")
    await p.do(p.two, p.bob, "leave", room_id)
    await p.one.send(p.alice, room_id, "alone")
    await pair.settled()
    await p.do(p.two, p.bob, "join", room_id)
    await p.do(p.one, p.alice, "leave", room_id)
    assert await p.memberships(room_id, ALICE) == ("leave", "leave")
    await p.do(p.one, p.alice, "join", room_id)
    assert await p.memberships(room_id, ALICE) == ("join", "join")
    sent = await p.one.send(p.alice, room_id, "here again")
    await pair.settled()
    assert (await p.two.rooms.live.get(room_id)).head.extremities[0].event_id == sent


async def test_rooms_that_nobody_knows(pair: Pair) -> None:
    p = await people(pair)
    unknown = "!" + "x" * 43
    answer = await p.two.request("POST", f"/join/{quote(unknown)}", {}, token=p.bob)
    assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")
    answer = await p.two.request("POST", f"/join/{quote(unknown)}", {}, token=p.bob, query={"via": "one"})
    assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")
    answer = await p.two.request("POST", f"/join/{quote(unknown)}", {}, token=p.bob, query={"via": "nowhere"})
    assert answer.status == 502


async def test_a_room_closed_to_others_invites_nobody_of_them(pair: Pair) -> None:
    p = await people(pair)
    room_id = await p.one.create_room(p.alice, creation_content={"m.federate": False})
    answer = await p.one.request("POST", f"/rooms/{quote(room_id)}/invite", {"user_id": BOB}, token=p.alice)
    assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")


def _state(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "state_key": "", "content": content}


async def test_an_invite_that_lies_about_the_version_does_not_close_the_room(pair: Pair) -> None:
    """Anybody can claim that a room is of some version; the join goes by what the room's servers say."""
    p = await people(pair)
    room_id = await p.one.create_room(p.alice, preset="public_chat", room_version="11")
    stranger = Stranger(pair)
    pdu: dict[str, Any] = {
        "type": "m.room.member",
        "sender": stranger.user_id,
        "state_key": BOB,
        "room_id": room_id,
        "content": {"membership": "invite"},
        "origin_server_ts": 1,
        "depth": 1,
        "event_id": "$lie:three",
        "prev_events": [["$x:three", {"sha256": "x"}]],
        "auth_events": [],
    }
    body = {"room_version": "1", "event": stranger.sign(pdu, room_version("1")), "invite_room_state": []}
    path = f"/_matrix/federation/v2/invite/{quote(room_id)}/$lie:three"
    assert (await stranger.ask(p.two, path, "PUT", body))[0] == 200
    assert (await p.memberships(room_id, BOB))[1] == "invite"
    await p.do(p.two, p.bob, "join", room_id, via="one")
    assert await p.memberships(room_id, BOB) == ("join", "join")
