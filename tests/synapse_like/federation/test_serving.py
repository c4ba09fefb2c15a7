"""What another server may ask about our rooms, and what it may not."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.matrix.signatures import sign_json
from synapse_like.matrix.signing_keys import SigningKey
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair, pair
from tests.kit.stranger import Stranger
from tests.synapse_like.federation.test_inbound import room_with

__all__ = ["pair"]

VERSIONS = ["1", "6", "11", "12"]


def ids_in(pdus: list[Any], version: str) -> list[str]:
    return [Event.from_pdu(pdu, room_version(version)).event_id for pdu in pdus]


@pytest.mark.parametrize("version", VERSIONS)
async def test_events_states_and_chains(pair: Pair, version: str) -> None:
    one, stranger, room_id, alice = await room_with(pair, version)
    sent = await one.send(alice, room_id, "hello")
    status, body = await stranger.ask(one, f"/event/{quote(sent, safe='')}")
    assert (status, ids_in(body["pdus"], version)) == (200, [sent])
    assert (body["origin"], body["origin_server_ts"] > 0) == ("one", True)
    place = f"{quote(room_id)}?event_id={quote(sent, safe='')}"
    _, ids = await stranger.ask(one, f"/state_ids/{place}")
    _, state = await stranger.ask(one, f"/state/{place}")
    expected = {event.event_id for event in await stranger.learn(one, room_id)}
    assert set(ids["pdu_ids"]) == expected == set(ids_in(state["pdus"], version))
    assert set(ids["auth_chain_ids"]) == set(ids_in(state["auth_chain"], version))
    known = set(ids["pdu_ids"]) | set(ids["auth_chain_ids"])
    for pdu in (*state["pdus"], *state["auth_chain"]):
        assert known >= {str(each) for each in Event.from_pdu(pdu, room_version(version)).auth_references}
    _, chain = await stranger.ask(one, f"/event_auth/{quote(room_id)}/{quote(sent, safe='')}")
    event = await one.rooms.events.get_one(sent)
    assert event is not None
    assert set(ids_in(chain["auth_chain"], version)) >= {str(each) for each in event.event.auth_references}


async def test_the_past_and_gaps(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    sent = [await one.send(alice, room_id, str(number)) for number in range(30)]
    _, body = await stranger.ask(one, f"/backfill/{quote(room_id)}?v={quote(sent[20])}&limit=5")
    assert ids_in(body["pdus"], "12") == sent[20:15:-1]
    asked = {"earliest_events": sent[:1], "latest_events": sent[8:9], "limit": 20}
    _, body = await stranger.ask(one, f"/get_missing_events/{quote(room_id)}", "POST", asked)
    assert ids_in(body["events"], "12") == sent[1:8]
    asked |= {"limit": 3, "latest_events": sent[25:26]}
    _, body = await stranger.ask(one, f"/get_missing_events/{quote(room_id)}", "POST", asked)
    assert ids_in(body["events"], "12") == sent[22:25]
    event = await one.rooms.events.get_one(sent[4])
    assert event is not None
    time_ms = event.event.origin_server_ts
    _, body = await stranger.ask(one, f"/timestamp_to_event/{quote(room_id)}?ts={time_ms}&dir=f")
    assert body["origin_server_ts"] == time_ms


async def test_what_was_hidden_from_a_server_is_redacted_for_it(pair: Pair) -> None:
    one, stranger = pair.servers["one"], Stranger(pair)
    alice = await one.register("alice")
    hidden = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    room_id = await one.create_room(alice, preset="public_chat", initial_state=[hidden])
    secret = await one.send(alice, room_id, "secret")
    await stranger.join(one, room_id)
    open_one = await one.send(alice, room_id, "for all")
    _, body = await stranger.ask(one, f"/backfill/{quote(room_id)}?v={quote(open_one)}&limit=10")
    contents = dict(zip(ids_in(body["pdus"], "12"), [pdu["content"] for pdu in body["pdus"]], strict=True))
    assert contents[secret] == {}
    assert contents[open_one]["body"] == "for all"
    _, body = await stranger.ask(one, f"/event/{quote(secret)}")
    assert body["pdus"][0]["content"] == {}


async def test_servers_outside_are_told_nothing(pair: Pair) -> None:
    one, stranger = pair.servers["one"], Stranger(pair)
    alice = await one.register("alice")
    room_id = await one.create_room(alice, preset="public_chat")
    sent = await one.send(alice, room_id, "hello")
    room, event = quote(room_id), quote(sent)
    for path in (
        f"/event/{event}",
        f"/state/{room}?event_id={event}",
        f"/state_ids/{room}?event_id={event}",
        f"/event_auth/{room}/{event}",
        f"/backfill/{room}?v={event}&limit=10",
        f"/timestamp_to_event/{room}?ts=1&dir=f",
    ):
        status, body = await stranger.ask(one, path)
        assert (status, body["errcode"]) == (403, "M_FORBIDDEN"), path
    asked: dict[str, Any] = {"earliest_events": [], "latest_events": [sent]}
    assert (await stranger.ask(one, f"/get_missing_events/{room}", "POST", asked))[0] == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/event/$nothing", 404),
        ("/state/{room}", 400),
        ("/state/{room}?event_id=$nothing", 404),
        ("/state/!unknown:one?event_id=$nothing", 404),
        ("/event_auth/{room}/$nothing", 404),
        ("/backfill/{room}?limit=10", 400),
        ("/backfill/{room}?v=$nothing&limit=x", 400),
        ("/backfill/{room}?v=$nothing&limit=10", 200),
        ("/timestamp_to_event/{room}?ts=0&dir=b", 404),
        ("/timestamp_to_event/{room}?ts=x&dir=b", 400),
        ("/make_join/{room}/@x:three?ver=1", 400),
        ("/make_join/{room}/@x:elsewhere?ver=12", 403),
        ("/make_join/{room}/nobody?ver=12", 400),
        ("/make_join/!unknown:one/@x:three?ver=12", 404),
        ("/make_leave/{room}/@x:three", 403),
        ("/make_knock/{room}/@x:three?ver=12", 403),
    ],
)
async def test_questions_that_have_no_answer(pair: Pair, path: str, status: int) -> None:
    one, stranger, room_id, _ = await room_with(pair)
    found, body = await stranger.ask(one, path.replace("{room}", quote(room_id)))
    assert found == status, body


@pytest.mark.parametrize("what", ["send_join", "send_leave", "send_knock", "invite"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":"m.room.member"}', b'{"event":5,"room_version":"12"}'])
async def test_memberships_that_are_none(pair: Pair, what: str, body: bytes) -> None:
    one, stranger, room_id, _ = await room_with(pair)
    path = f"/_matrix/federation/v2/{what}/{quote(room_id)}/$event"
    path = path.replace("v2", "v1") if what == "send_knock" else path
    assert (await stranger.ask(one, path, "PUT", body))[0] == 400


async def test_joins_that_are_not_taken(pair: Pair) -> None:
    one, stranger, room_id, _ = await room_with(pair)
    live = await one.rooms.live.get(room_id)
    version = live.identity.version

    async def answer(user_id: str, membership: str, **changes: Any) -> int:
        base = await stranger.draft(
            one, room_id, "m.room.member", {"membership": membership}, sender=user_id, state_key=user_id
        )
        event = Event.from_pdu(stranger.sign(base, version), version)
        pdu = {**event.pdu, **changes}
        path = f"/_matrix/federation/v2/send_join/{quote(room_id)}/{event.event_id}"
        return (await stranger.ask(one, path, "PUT", pdu))[0]

    assert await answer("@new:three", "join") == 200
    assert await answer("@new2:three", "leave") == 400
    assert await answer("@new3:two", "join") == 400
    assert await answer("@new4:three", "join", signatures={}) == 400
    assert await answer("@new5:three", "join", depth=7) == 400


@pytest.mark.parametrize("omit", ["true", "false"])
async def test_the_answer_to_a_join(pair: Pair, omit: str) -> None:
    one, stranger, room_id, alice = await room_with(pair)
    await one.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.name", {"name": "x"}, token=alice)
    status, made = await stranger.ask(one, f"/make_join/{quote(room_id)}/@y:three?ver=12&ver=11")
    assert (status, made["room_version"]) == (200, "12")
    live = await one.rooms.live.get(room_id)
    pdu = stranger.sign({key: made["event"][key] for key in made["event"] if key != "origin"}, live.identity.version)
    event = Event.from_pdu(pdu, live.identity.version)
    path = f"/_matrix/federation/v2/send_join/{quote(room_id)}/{event.event_id}?omit_members={omit}"
    _, body = await stranger.ask(one, path, "PUT", event.pdu)
    kinds = {pdu["type"] for pdu in body["state"]}
    assert body["members_omitted"] is (omit == "true")
    assert ("m.room.member" in kinds) is (omit == "false")
    assert body.get("servers_in_room", ["one", "three"]) == ["one", "three"]
    told = set(ids_in([*body["state"], *body["auth_chain"]], "12"))
    assert told >= {str(each) for each in event.auth_references}


async def test_an_invite_by_address_is_exchanged(pair: Pair) -> None:
    one, stranger, room_id, alice = await room_with(pair, "11")
    key = SigningKey.from_seed("id", b"i" * 32)
    public = key.verify_key.to_base64()
    waiting = {"display_name": "b...@x", "key_validity_url": "https://x/valid", "public_key": public, "public_keys": []}
    path = f"/rooms/{quote(room_id)}/state/m.room.third_party_invite/token"
    await one.ok("PUT", path, waiting, token=alice)
    signed = sign_json({"mxid": "@bob:two", "token": "token"}, "id.example", key)
    body: dict[str, Any] = {
        "type": "m.room.member",
        "room_id": room_id,
        "sender": "@alice:one",
        "state_key": "@bob:two",
        "content": {"membership": "invite", "third_party_invite": {"display_name": "b", "signed": signed}},
    }
    bob = await pair.servers["two"].register("bob")
    invite = {"room_id": room_id, "sender": "@alice:one", "address": "b@x", "signed": signed}
    bind = {"medium": "email", "address": "b@x", "mxid": "@bob:two", "invites": [invite]}
    await pair.servers["two"].ok("PUT", "/_matrix/federation/v1/3pid/onbind", bind)
    await pair.settled()
    assert await member_of(pair.servers["two"], room_id, "@bob:two") == "invite"
    assert await member_of(one, room_id, "@bob:two") == "invite"
    assert bob
    where = f"/exchange_third_party_invite/{quote(room_id)}"
    for wrong in ({**body, "sender": "@x:one"}, {**body, "state_key": "@c:two"}, {**body, "type": "m.room.name"}):
        assert (await stranger.ask(one, where, "PUT", wrong))[0] in (400, 403)


async def member_of(server: TestServer, room_id: str, user_id: str) -> str | None:
    return await server.rooms.memberships.of(user_id, room_id)
