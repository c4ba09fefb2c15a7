"""Transactions of another server: what is taken, what is refused, and that a bad event harms only itself."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import Kind
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair, pair
from tests.kit.stranger import Stranger

__all__ = ["pair"]


async def room_with(pair: Pair, version: str = "12", **options: Any) -> tuple[TestServer, Stranger, str, str]:
    """A public room of Alice's on `one`, which Xavier has joined: server, stranger, room id, Alice's token."""
    one, stranger = pair.servers["one"], Stranger(pair)
    alice = await one.register("alice")
    room_id = await one.create_room(alice, preset="public_chat", room_version=version, **options)
    await stranger.join(one, room_id)
    return one, stranger, room_id, alice


async def shown(server: TestServer, room_id: str, token: str) -> list[str]:
    """The texts of the newest messages, oldest first."""
    query = {"dir": "b", "limit": 100}
    page = await server.ok("GET", f"/rooms/{quote(room_id)}/messages", token=token, query=query)
    events = [event for event in page["chunk"] if event["type"] == "m.room.message"]
    return [event["content"].get("body") for event in events][::-1]


async def kind_of(server: TestServer, event: Event) -> Kind | None:
    stored = await server.rooms.events.get_one(event.event_id)
    return None if stored is None else stored.kind


@pytest.mark.parametrize("version", ["1", "3", "6", "11", "12"])
async def test_a_full_transaction_is_one_commit(pair: Pair, version: str) -> None:
    one, stranger, room_id, alice = await room_with(pair, version)
    events = await stranger.chain(one, room_id, 50)
    one.queries.clear()
    assert await stranger.send(one, events) == {event.event_id: {} for event in events}
    assert len([query for query in one.queries if "INSERT INTO events " in query]) == 1
    await one.caught_up()
    assert await shown(one, room_id, alice) == [str(number) for number in range(50)]


async def test_the_order_within_a_transaction_does_not_matter(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    events = await stranger.chain(one, room_id, 10)
    await stranger.send(one, events[::-1])
    assert await shown(one, room_id, alice) == [str(number) for number in range(10)]


async def test_a_repeated_transaction_gets_the_same_answer(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    event = await stranger.message(one, room_id, "once")
    first = await stranger.send(one, [event], transaction_id="same")
    again = await stranger.send(one, [await stranger.message(one, room_id, "other")], transaction_id="same")
    assert first == again == {event.event_id: {}}
    await stranger.send(one, [event], transaction_id="new")
    assert await shown(one, room_id, alice) == ["once"]


async def test_events_of_several_rooms(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    other = await one.create_room(alice, preset="public_chat")
    await stranger.join(one, other)
    events = [await stranger.message(one, each, each) for each in (room_id, other)]
    unknown = dict(events[0].pdu, room_id="!" + "u" * 43)
    assert await stranger.send(one, [unknown, *events]) == {event.event_id: {} for event in events}
    assert (await shown(one, room_id, alice), await shown(one, other, alice)) == ([room_id], [other])


async def test_a_bad_event_harms_only_itself(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    live = await one.rooms.live.get(room_id)
    version = live.identity.version
    good = await stranger.message(one, room_id, "good")
    base = await stranger.draft(one, room_id, "m.room.message", {"body": "x"})
    unsigned = dict(stranger.sign(base, version), signatures={})
    forged = stranger.sign(dict(base, sender="@alice:one"), version)
    not_allowed = stranger.sign(
        await stranger.draft(one, room_id, "m.room.name", {"name": "mine"}, state_key=""), version
    )
    floats = stranger.sign(dict(base, content={"body": 1.5}), version)
    shapeless = [None, 7, "event", {}, {"room_id": room_id}, {"room_id": 5}, dict(base, content="text"), base]
    no_prev = stranger.sign(dict(base, prev_events=[]), version)
    nul = stranger.sign(dict(base, type="a\0b", state_key="\0"), version)
    pdus: list[Any] = [*shapeless, unsigned, forged, not_allowed, floats, no_prev, nul, good.pdu]
    status, body = await pair.ask("three", "one", "PUT", "/_matrix/federation/v1/send/bad", _raw(pdus))
    assert status == 200
    results = body["pdus"]
    assert results.pop(good.event_id) == {}
    assert len(results) >= 4
    assert all(result["error"] for result in results.values())
    assert await shown(one, room_id, alice) == ["good"]
    assert (await one.rooms.live.get(room_id)).state_event("m.room.name") is None


async def test_a_wrong_hash_redacts(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    event = await stranger.message(one, room_id, "real")
    tampered = dict(event.pdu, content={"msgtype": "m.text", "body": "tampered"})
    assert await stranger.send(one, [tampered]) == {event.event_id: {}}
    stored = await one.rooms.events.get_one(event.event_id)
    assert stored is not None
    assert stored.event.content == {}
    assert await shown(one, room_id, alice) == [None]


@pytest.mark.parametrize(("pdus", "edus", "status"), [(51, 0, 400), (0, 101, 400), (50, 100, 200)])
async def test_limits_of_a_transaction(pair: Pair, pdus: int, edus: int, status: int) -> None:
    one, stranger = pair.servers["one"], Stranger(pair)
    edu = {"edu_type": "org.example", "content": {}}
    assert (await stranger.transaction(one, [{"room_id": "!x:y"}] * pdus, edus=[edu] * edus))[0] == status


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"pdus":{}}', b'{"pdus":[],"edus":7}', b"[" * 100_000, b'{"pdus":[NaN]}', b"\xff"]
)
async def test_nonsense_instead_of_a_transaction(pair: Pair, body: bytes) -> None:
    status, answer = await pair.ask("three", "one", "PUT", "/_matrix/federation/v1/send/x", body)
    assert (status, answer["errcode"]) in ((400, "M_BAD_JSON"), (400, "M_NOT_JSON"))


async def test_odd_values_that_old_versions_allow(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair, "1")
    odd = {"body": "odd", "float": 1.5, "huge": 10**30, "nul": "\0"}
    first = await stranger.event(one, room_id, "m.room.message", odd, origin_server_ts=-(2**70), depth=2**63 - 1)
    assert await stranger.send(one, [first]) == {first.event_id: {}}
    named = {"membership": "join", "displayname": "a\0b", "n": 10**30}
    topic = await stranger.event(one, room_id, "m.room.member", named, state_key="@xavier:three")
    assert await stranger.send(one, [topic]) == {topic.event_id: {}}
    sent = await one.send(alice, room_id, "after")
    one.rooms.live.drop_all()
    assert await shown(one, room_id, alice) == ["odd", "after"]
    await one.send(alice, room_id, "and again")
    assert (await one.rooms.events.get_one(sent)) is not None
    await one.sync(alice)


async def test_forks_and_late_events(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    late = await stranger.message(one, room_id, "late")
    await one.send(alice, room_id, "ours")
    await stranger.send(one, [late])
    live = await one.rooms.live.get(room_id)
    assert len(live.head.extremities) == 2
    await one.ok("POST", f"/rooms/{quote(room_id)}/ban", {"user_id": stranger.user_id}, token=alice)
    edges = {"prev_events": [late.reference], "auth_events": late.pdu["auth_events"]}
    too_late = await stranger.message(one, room_id, "too late", **edges)
    await stranger.send(one, [too_late])
    assert await kind_of(one, too_late) is Kind.SOFT_FAILED
    assert await shown(one, room_id, alice) == ["ours", "late"]


async def test_a_server_that_the_acl_shuts_out(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    event = await stranger.message(one, room_id, "before")
    acl = {"allow": ["*"], "deny": ["three"]}
    await one.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.server_acl", acl, token=alice)
    results = await stranger.send(one, [event])
    assert "ACL" in results[event.event_id]["error"]
    for path in (
        f"/state_ids/{quote(room_id)}?event_id={quote(event.event_id)}",
        f"/backfill/{quote(room_id)}?v={quote(event.event_id)}&limit=1",
        f"/make_join/{quote(room_id)}/@x:three?ver=12",
        f"/make_leave/{quote(room_id)}/@x:three",
    ):
        status, body = await stranger.ask(one, path)
        assert (status, body["errcode"]) == (403, "M_FORBIDDEN"), path


async def test_events_of_rooms_that_we_have_left_are_ignored(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    await one.ok("POST", f"/rooms/{quote(room_id)}/leave", {}, token=alice)
    event = await stranger.message(one, room_id, "anybody there?")
    assert await stranger.send(one, [event]) == {event.event_id: {}}
    assert await kind_of(one, event) is None


def _raw(pdus: list[Any]) -> bytes:

    return json.dumps({"pdus": pdus, "edus": []}).encode()
