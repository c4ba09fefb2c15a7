"""Joining, inviting, knocking, leaving, forgetting, kicking, banning; restricted rooms; limits."""

from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from synapse_like.features.membership import MemberProfile, Membership
from tests.kit.homeserver import Answer, TestServer
from tests.kit.room_features import house, member_of

__all__ = ["house"]


async def act(house: TestServer, who: str, room_id: str, what: str, **body: Any) -> Answer:
    return await house.request("POST", f"/rooms/{room_id}/{what}", body, token=who)


async def done(house: TestServer, who: str, room_id: str, what: str, **body: Any) -> None:
    answer = await act(house, who, room_id, what, **body)
    assert answer.status == 200, answer.body


async def refused(house: TestServer, who: str, room_id: str, what: str, **body: Any) -> tuple[int, str]:
    answer = await act(house, who, room_id, what, **body)
    assert answer.status >= 400, f"{what} by {who} succeeded"
    return answer.status, answer.body["errcode"]


async def public_room(house: TestServer, **options: Any) -> str:
    return await house.create_room("alice", preset="public_chat", **options)


async def set_state(house: TestServer, who: str, room_id: str, kind: str, content: Any, key: str = "") -> Answer:
    return await house.request("PUT", f"/rooms/{room_id}/state/{kind}/{quote(key)}", content, token=who)


FORBIDDEN = (403, "M_FORBIDDEN")


async def test_joining_by_id_and_by_alias(house: TestServer) -> None:
    room_id = await public_room(house, room_alias_name="pub")
    by_alias = await house.ok(
        "POST", "/join/" + quote("#pub:test"), {}, token="bob", query={"via": "x", "server_name": "y"}
    )
    assert by_alias == {"room_id": room_id}
    assert await house.ok("POST", f"/join/{quote(room_id)}", {"reason": "hi"}, token="carol") == {"room_id": room_id}
    await done(house, "dave", room_id, "join")
    for name in ("bob", "carol", "dave"):
        assert await member_of(house, room_id, name) == "join"


async def test_joining_again_changes_nothing(house: TestServer) -> None:
    room_id = await public_room(house)
    await done(house, "bob", room_id, "join")
    depth = (await house.rooms.live.get(room_id)).head.depth
    await done(house, "bob", room_id, "join")
    assert (await house.rooms.live.get(room_id)).head.depth == depth


@pytest.mark.parametrize(
    ("target", "status"), [("!unknown:test", 404), ("#unknown:test", 404), ("nonsense", 400), ("#nonsense", 400)]
)
async def test_joining_what_does_not_exist(house: TestServer, target: str, status: int) -> None:
    assert (await house.request("POST", f"/join/{quote(target)}", {}, token="bob")).status == status


async def test_a_private_room_wants_an_invite(house: TestServer) -> None:
    room_id = await house.create_room("alice")
    assert await refused(house, "bob", room_id, "join") == FORBIDDEN
    await done(house, "alice", room_id, "invite", user_id="@bob:test", reason="come")
    assert await member_of(house, room_id, "bob") == "invite"
    invited = (await house.sync("bob"))["rooms"]["invite"][room_id]["invite_state"]["events"]
    assert {event["type"] for event in invited} >= {"m.room.create", "m.room.join_rules", "m.room.member"}
    assert {event["state_key"] for event in invited if event["type"] == "m.room.member"} == {"@alice:test", "@bob:test"}
    await done(house, "bob", room_id, "join")
    assert await member_of(house, room_id, "bob") == "join"
    assert await refused(house, "alice", room_id, "invite", user_id="@bob:test") == FORBIDDEN


async def test_refusing_an_invite_and_leaving_twice(house: TestServer) -> None:
    room_id = await house.create_room("alice", invite=["@bob:test"])
    await done(house, "bob", room_id, "leave", reason="no")
    await done(house, "bob", room_id, "leave")
    assert await member_of(house, room_id, "bob") == "leave"
    assert await refused(house, "bob", room_id, "join") == FORBIDDEN
    assert await refused(house, "eve", room_id, "leave") == FORBIDDEN
    assert (await refused(house, "eve", "!unknown:test", "leave"))[0] == 404


async def test_inviting_needs_membership_and_power(house: TestServer) -> None:
    room_id = await public_room(house)
    assert await refused(house, "bob", room_id, "invite", user_id="@eve:test") == FORBIDDEN
    await done(house, "bob", room_id, "join")
    assert await refused(house, "bob", room_id, "invite", user_id="@eve:test") == FORBIDDEN
    assert await refused(house, "alice", room_id, "invite", user_id="eve") == (400, "M_INVALID_PARAM")
    assert await refused(house, "alice", room_id, "invite") == (400, "M_MISSING_PARAM")
    by_address = {"medium": "email", "address": "a@b.c", "id_server": "x", "id_access_token": "y"}
    assert await refused(house, "alice", room_id, "invite", **by_address) == (400, "M_SERVER_NOT_TRUSTED")


async def test_kick_ban_unban(house: TestServer) -> None:
    room_id = await public_room(house)
    bob = {"user_id": "@bob:test"}
    assert await refused(house, "alice", room_id, "kick", **bob) == FORBIDDEN
    assert await refused(house, "alice", room_id, "unban", **bob) == (403, "M_BAD_STATE")
    await done(house, "bob", room_id, "join")
    assert await refused(house, "bob", room_id, "kick", user_id="@alice:test") == FORBIDDEN
    await done(house, "alice", room_id, "kick", reason="out", **bob)
    assert await member_of(house, room_id, "bob") == "leave"
    await done(house, "bob", room_id, "join")
    await done(house, "alice", room_id, "ban", **bob)
    assert await refused(house, "bob", room_id, "join") == FORBIDDEN
    assert await refused(house, "alice", room_id, "invite", **bob) == FORBIDDEN
    assert await refused(house, "alice", room_id, "kick", **bob) == FORBIDDEN
    await done(house, "alice", room_id, "unban", **bob)
    await done(house, "bob", room_id, "join")
    assert await refused(house, "alice", room_id, "ban", user_id="bob") == (400, "M_INVALID_PARAM")


async def test_knocking(house: TestServer) -> None:
    rules = [{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}]
    room_id = await house.create_room("alice", initial_state=rules, name="Door")
    assert await house.ok("POST", f"/knock/{quote(room_id)}", {"reason": "please"}, token="bob") == {"room_id": room_id}
    assert await member_of(house, room_id, "bob") == "knock"
    knocked = (await house.sync("bob"))["rooms"]["knock"][room_id]["knock_state"]["events"]
    assert {"m.room.name", "m.room.member"} <= {event["type"] for event in knocked}
    await done(house, "alice", room_id, "invite", user_id="@bob:test")
    await done(house, "bob", room_id, "join")
    answer = await house.request("POST", f"/knock/{quote(room_id)}", {}, token="bob")
    assert answer.status == 403
    closed = await house.create_room("alice")
    assert (await house.request("POST", f"/knock/{quote(closed)}", {}, token="bob")).status == 403
    assert (await house.request("POST", "/knock/!unknown:test", {}, token="bob")).status == 404


async def test_forgetting(house: TestServer) -> None:
    room_id = await public_room(house)
    await done(house, "bob", room_id, "join")
    assert await refused(house, "bob", room_id, "forget") == (400, "M_UNKNOWN")
    await done(house, "bob", room_id, "leave")
    await done(house, "bob", room_id, "forget")
    assert (await house.rooms.memberships.rooms_of("@bob:test"))[room_id].is_forgotten
    house.rooms.memberships.drop("@bob:test")
    assert (await house.rooms.memberships.rooms_of("@bob:test"))[room_id].is_forgotten
    await done(house, "bob", room_id, "join")
    await deferLater(reactor, 0)
    assert not (await house.rooms.memberships.rooms_of("@bob:test"))[room_id].is_forgotten


@pytest.mark.config(forget_rooms_on_leave=True)
async def test_forgetting_by_leaving(house: TestServer) -> None:
    room_id = await public_room(house)
    await done(house, "bob", room_id, "join")
    await done(house, "bob", room_id, "leave")
    assert (await house.rooms.memberships.rooms_of("@bob:test"))[room_id].is_forgotten


@pytest.mark.parametrize("rule", ["restricted", "knock_restricted"])
async def test_restricted_rooms(house: TestServer, rule: str) -> None:
    space = await public_room(house)
    allow = [{"type": "m.room_membership", "room_id": space}, {"type": "unheard_of"}, 5]
    state = [{"type": "m.room.join_rules", "content": {"join_rule": rule, "allow": allow}}]
    room_id = await house.create_room("alice", initial_state=state)
    assert await refused(house, "bob", room_id, "join") == FORBIDDEN
    await done(house, "bob", space, "join")
    await done(house, "bob", room_id, "join")
    event = await _member_event(house, room_id, "bob")
    assert event.event.content["join_authorised_via_users_server"] == "@alice:test"
    # A new name needs nobody who vouches.
    content = {"membership": "join", "displayname": "Bob", "join_authorised_via_users_server": "@eve:test"}
    assert (await set_state(house, "bob", room_id, "m.room.member", content, "@bob:test")).status == 200
    event = await _member_event(house, room_id, "bob")
    assert event.event.content == {"membership": "join", "displayname": "Bob"}
    # Whoever may invite vouches.
    await done(house, "alice", room_id, "leave")
    await done(house, "carol", space, "join")
    await done(house, "carol", room_id, "join")
    event = await _member_event(house, room_id, "carol")
    assert event.event.content["join_authorised_via_users_server"] == "@bob:test"


async def test_restricted_room_without_anybody_who_may_invite(house: TestServer) -> None:
    space = await public_room(house)
    allow = [{"type": "m.room_membership", "room_id": space}]
    state = [{"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": allow}}]
    room_id = await house.create_room("alice", initial_state=state, power_level_content_override={"invite": 50})
    await done(house, "bob", space, "join")
    await done(house, "bob", room_id, "join")
    await done(house, "alice", room_id, "leave")
    await done(house, "carol", space, "join")
    assert await refused(house, "carol", room_id, "join") == (400, "M_UNABLE_TO_GRANT_JOIN")


async def test_guests_join_only_where_they_may(house: TestServer) -> None:
    closed = await public_room(house)
    opened = await house.create_room(
        "alice", preset="public_chat", initial_state=[{"type": "m.room.guest_access", "content": _CAN_JOIN}]
    )
    assert await refused(house, "?guest", closed, "join") == (403, "M_GUEST_ACCESS_FORBIDDEN")
    await done(house, "?guest", opened, "join")
    assert (await _member_event(house, opened, "guest")).event.content["kind"] == "guest"


async def test_guests_leave_when_they_are_not_welcome_any_more(house: TestServer) -> None:
    state = [{"type": "m.room.guest_access", "content": _CAN_JOIN}]
    room_id = await house.create_room("alice", preset="public_chat", initial_state=state)
    await done(house, "?guest", room_id, "join")
    await done(house, "bob", room_id, "join")
    await set_state(house, "alice", room_id, "m.room.guest_access", {**_CAN_JOIN, "x": 1})
    assert await member_of(house, room_id, "guest") == "join"
    await set_state(house, "alice", room_id, "m.room.guest_access", {"guest_access": "forbidden"})
    assert await member_of(house, room_id, "guest") == "leave"
    assert await member_of(house, room_id, "bob") == "join"


_CAN_JOIN = {"guest_access": "can_join"}


async def test_membership_by_state_event(house: TestServer) -> None:
    room_id = await public_room(house)

    async def put(who: str, target: str, content: Any) -> tuple[int, str]:
        answer = await set_state(house, who, room_id, "m.room.member", content, target)
        return answer.status, answer.body.get("errcode", "")

    assert await put("bob", "@bob:test", {"membership": "join"}) == (200, "")
    assert await put("bob", "@carol:test", {"membership": "join"}) == FORBIDDEN
    assert await put("alice", "@carol:test", {"membership": "invite"}) == (200, "")
    assert await put("alice", "@bob:test", {"membership": "ban", "reason": "x"}) == (200, "")
    assert await put("alice", "@bob:test", {"membership": "leave"}) == (200, "")
    assert await put("alice", "@bob:test", {"membership": "party"}) == (400, "M_BAD_JSON")
    assert await put("alice", "@bob:test", {}) == (400, "M_BAD_JSON")
    assert await put("alice", "bob", {"membership": "ban"}) == (400, "M_INVALID_PARAM")
    assert await put("alice", "@alice:test", {"membership": "join", "displayname": "a\0"}) == (400, "M_BAD_JSON")
    event = await _member_event(house, room_id, "carol")
    assert event.extras["invite_room_state"]


async def test_profiles_go_into_memberships(house: TestServer) -> None:
    membership = house.homeserver.front(Membership)
    names = {"@bob:test": MemberProfile("Bob", "mxc://a/b"), "@alice:test": MemberProfile("Alice")}

    async def profile_of(user_id: str) -> MemberProfile:
        return names[user_id]

    membership.profile_of = profile_of
    room_id = await house.create_room("alice", invite=["@bob:test"])
    assert (await _member_event(house, room_id, "alice")).event.content == {
        "membership": "join",
        "displayname": "Alice",
    }
    invite = (await _member_event(house, room_id, "bob")).event.content
    assert invite == {"membership": "invite", "displayname": "Bob", "avatar_url": "mxc://a/b"}
    await membership.announce_profile("@bob:test", room_id, names["@bob:test"])
    assert await member_of(house, room_id, "bob") == "invite"
    await done(house, "bob", room_id, "join")
    names["@bob:test"] = MemberProfile("Robert")
    await membership.announce_profile("@bob:test", room_id, names["@bob:test"])
    event = await _member_event(house, room_id, "bob")
    assert event.event.content == {"membership": "join", "displayname": "Robert"}
    await membership.announce_profile("@bob:test", room_id, names["@bob:test"])
    assert (await _member_event(house, room_id, "bob")).event_id == event.event_id


async def test_leaving_everything(house: TestServer) -> None:
    rooms = [await public_room(house), await public_room(house), await house.create_room("alice", invite=["@bob:test"])]
    await done(house, "bob", rooms[0], "join")
    await done(house, "bob", rooms[1], "join")
    await house.homeserver.front(Membership).leave_all("@bob:test")
    assert [await member_of(house, room_id, "bob") for room_id in rooms] == ["leave"] * 3


@pytest.mark.config(block_non_admin_invites=True)
async def test_blocked_invites(house: TestServer) -> None:
    room_id = await house.create_room("!root")
    await done(house, "!root", room_id, "invite", user_id="@alice:test")
    await done(house, "alice", room_id, "join")
    assert await refused(house, "alice", room_id, "invite", user_id="@bob:test") == FORBIDDEN


_ONE = {"per_second": 0.001, "burst_count": 1}


@pytest.mark.config(rc_joins={"local": _ONE, "remote": _ONE}, rc_invites={"per_issuer": _ONE})
async def test_limits(house: TestServer) -> None:
    first, second = await public_room(house), await public_room(house)
    await done(house, "bob", first, "join")
    await done(house, "bob", first, "join")
    assert await refused(house, "bob", second, "join") == (429, "M_LIMIT_EXCEEDED")
    await done(house, "alice", first, "invite", user_id="@carol:test")
    assert await refused(house, "alice", first, "invite", user_id="@dave:test") == (429, "M_LIMIT_EXCEEDED")


@pytest.mark.config(
    room_prejoin_state={"disable_default_event_types": True, "additional_event_types": ["org.a", ["b"]]}
)
async def test_what_the_invited_see_is_configurable(house: TestServer) -> None:
    state = [{"type": "org.a", "content": {}}, {"type": "b", "state_key": "k", "content": {}}]
    room_id = await house.create_room("alice", name="x", initial_state=state, invite=["@bob:test"])
    shown = (await _member_event(house, room_id, "bob")).extras["invite_room_state"]
    assert {each["type"] for each in shown} == {"org.a", "b", "m.room.member"}


async def _member_event(house: TestServer, room_id: str, name: str) -> Any:
    member = (await house.rooms.live.get(room_id)).members[f"@{name}:test"]
    return await house.rooms.events.get_one(member.event_id)
