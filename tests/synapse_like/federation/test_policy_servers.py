"""Rooms with a policy server: what it does not sign is not sent from here, and soft-failed when others send it."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet.defer import Deferred, gatherResults

from synapse_like.federation.errors import RemoteError
from synapse_like.federation.recommendations import SIGN
from synapse_like.matrix.events import Event
from synapse_like.matrix.policy_servers import POLICY_KEY_ID
from synapse_like.matrix.room_versions import RoomVersion, room_version
from synapse_like.matrix.signatures import sign_event
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms.facts import Kind
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair, pair
from tests.kit.stranger import Stranger
from tests.synapse_like.federation.test_inbound import kind_of, room_with, shown

__all__ = ["pair"]

KEY = SigningKey.from_seed("policy_server", b"p" * 32)
OTHER_KEY = SigningKey.from_seed("policy_server", b"o" * 32)


class Police(Stranger):
    """The server `police`: signs everything but what is in `refused`, by the text of a message or by type.

    `key` is what it signs with, `error` what it answers else; `signed` are the texts or types that it was asked about.
    """

    name = "police"
    user_id = "@officer:police"

    def __init__(self, pair: Pair, version: RoomVersion) -> None:
        super().__init__(pair)
        self.refused: set[str] = set()
        self.key = KEY
        self.error = RemoteError(self.name, 400, {"errcode": "M_FORBIDDEN", "error": "No spam"})
        self.signed: list[str] = []
        self._version = version

    def _answer(self, method: str, target: str, body: Any) -> Any:
        if target != SIGN:
            return super()._answer(method, target, body)
        event = Event.from_pdu(json.loads(body), self._version)
        names = [event.content.get("body", event.type), event.type]
        self.signed.append(names[0])
        if self.refused & {*names, "*"}:
            raise self.error
        pdu = sign_event({**event.pdu, "signatures": {}}, self._version, self.name, self.key)
        return pdu["signatures"]


async def guarded(pair: Pair, version: str = "12") -> tuple[TestServer, Stranger, Police, str, str]:
    """A room of Alice's with Xavier and an officer, which names the officer's server: server, both, room, token."""
    one, stranger, room_id, alice = await room_with(pair, version)
    police = Police(pair, room_version(version))
    await police.join(one, room_id)
    content = {"via": police.name, "public_keys": {"ed25519": KEY.verify_key.to_base64()}}
    await one.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.policy/", content, token=alice)
    assert police.signed == []
    return one, stranger, police, room_id, alice


async def signatures_of(server: TestServer, event_id: str) -> dict[str, list[str]]:
    """Who signed a stored event, with which keys."""
    stored = await server.rooms.events.get_one(event_id)
    assert stored is not None
    return {name: sorted(by_key) for name, by_key in stored.event.pdu["signatures"].items()}


@pytest.mark.parametrize("version", ["1", "6", "10", "12"])
async def test_what_is_sent_here_is_signed_by_the_policy_server(pair: Pair, version: str) -> None:
    one, _, police, room_id, alice = await guarded(pair, version)
    event_id = await one.send(alice, room_id, "hello")
    assert await signatures_of(one, event_id) == {"one": ["ed25519:k"], "police": [POLICY_KEY_ID]}
    await one.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.topic/", {"topic": "Law"}, token=alice)
    assert police.signed == ["hello", "m.room.topic"]


async def test_what_the_policy_server_refuses_is_not_sent(pair: Pair) -> None:
    one, _, police, room_id, alice = await guarded(pair)
    police.refused = {"spam"}
    answer = await one.request(
        "PUT", f"/rooms/{quote(room_id)}/send/m.room.message/1", {"msgtype": "m.text", "body": "spam"}, token=alice
    )
    assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert "No spam" in answer.body["error"]
    await one.send(alice, room_id, "ham")
    assert await shown(one, room_id, alice) == ["ham"]


@pytest.mark.parametrize("status", [429, 500])
async def test_without_an_answer_nothing_is_sent_and_the_client_may_try_again(pair: Pair, status: int) -> None:
    one, _, police, room_id, alice = await guarded(pair)
    police.refused, police.error = {"hello"}, RemoteError("police", status, {})
    path, body = f"/rooms/{quote(room_id)}/send/m.room.message/1", {"msgtype": "m.text", "body": "hello"}
    assert (await one.request("PUT", path, body, token=alice)).status == 502
    police.refused = set()
    await one.ok("PUT", path, body, token=alice)
    assert await shown(one, room_id, alice) == ["hello"]


async def test_a_signature_by_another_key_is_none(pair: Pair) -> None:
    one, _, police, room_id, alice = await guarded(pair)
    police.key = OTHER_KEY
    path, body = f"/rooms/{quote(room_id)}/send/m.room.message/1", {"msgtype": "m.text", "body": "hello"}
    assert (await one.request("PUT", path, body, token=alice)).status == 502


async def test_the_policy_itself_can_always_be_changed_and_anybody_may_leave(pair: Pair) -> None:
    one, _, police, room_id, alice = await guarded(pair)
    bob = await one.register("bob")
    await one.join(bob, room_id)
    police.refused = {"*"}
    await one.ok("POST", f"/rooms/{quote(room_id)}/leave", {}, token=bob)
    assert (await one.request("POST", f"/rooms/{quote(room_id)}/join", {}, token=bob)).status == 403
    await one.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.policy/", {}, token=alice)
    await one.send(alice, room_id, "free")
    assert police.signed == ["m.room.member"] * 3


@pytest.mark.parametrize(
    "content",
    [
        {"via": "police"},
        {"via": "police", "public_keys": {"ed25519": "short"}},
        {"via": ["police"], "public_keys": {"ed25519": KEY.verify_key.to_base64()}},
        {"via": "elsewhere", "public_keys": {"ed25519": KEY.verify_key.to_base64()}},
    ],
)
async def test_a_room_whose_policy_is_invalid_or_whose_server_is_not_there_has_none(pair: Pair, content: Any) -> None:
    one, stranger, police, room_id, alice = await guarded(pair)
    police.refused = {"*"}
    await one.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.policy/", content, token=alice)
    await one.send(alice, room_id, "hello")
    await stranger.send(one, [await stranger.message(one, room_id, "hi")])
    assert await shown(one, room_id, alice) == ["hello", "hi"]
    assert police.signed == []


async def test_events_of_others_without_its_signature_are_asked_about(pair: Pair) -> None:
    one, stranger, police, room_id, alice = await guarded(pair)
    police.refused = {"spam"}
    ham, spam = await stranger.message(one, room_id, "ham"), await stranger.message(one, room_id, "spam")
    assert await stranger.send(one, [ham, spam]) == {ham.event_id: {}, spam.event_id: {}}
    assert sorted(police.signed) == ["ham", "spam"]
    assert (await kind_of(one, ham), await kind_of(one, spam)) == (Kind.LIVE, Kind.SOFT_FAILED)
    assert await shown(one, room_id, alice) == ["ham"]
    assert await signatures_of(one, ham.event_id) == {"three": ["ed25519:k"], "police": [POLICY_KEY_ID]}
    await stranger.send(one, [ham, spam])
    assert sorted(police.signed) == ["ham", "spam"], "nobody asks again about what is known"


async def test_events_that_carry_its_signature_are_not_asked_about(pair: Pair) -> None:
    one, stranger, police, room_id, alice = await guarded(pair)
    plain = await stranger.message(one, room_id, "signed")
    pdu = sign_event(plain.pdu, plain.room_version, police.name, KEY)
    forged = await stranger.message(one, room_id, "forged")
    forged_pdu = sign_event(forged.pdu, forged.room_version, police.name, OTHER_KEY)
    police.refused = {"*"}
    await stranger.send(one, [pdu])
    await stranger.send(one, [forged_pdu])
    assert police.signed == ["forged"]
    assert await shown(one, room_id, alice) == ["signed"]


async def test_the_policy_servers_own_events_keep_both_signatures(pair: Pair) -> None:
    one, _, police, room_id, alice = await guarded(pair)
    event = await police.message(one, room_id, "order")
    await police.send(one, [event])
    assert await signatures_of(one, event.event_id) == {"police": ["ed25519:k", POLICY_KEY_ID]}
    assert await shown(one, room_id, alice) == ["order"]


async def test_a_join_of_another_server_that_it_refuses_is_refused(pair: Pair) -> None:
    one, _, police, room_id, _ = await guarded(pair)
    two = pair.servers["two"]
    bob = await two.register("bob")
    police.refused = {"m.room.member"}
    path = f"/join/{quote(room_id)}"
    assert (await two.request("POST", path, {}, token=bob, query={"via": "one"})).status == 403
    police.refused = set()
    await two.ok("POST", path, {}, token=bob, query={"via": "one"})
    await pair.settled()
    two_says = await two.send(bob, room_id, "from two")
    await pair.settled()
    assert await signatures_of(one, two_says) == {"two": ["ed25519:k"], "police": [POLICY_KEY_ID]}
    assert police.signed[-1:] == ["from two"], "who receives it need not ask again"


async def test_an_invite_to_another_server_is_signed_before_it_goes(pair: Pair) -> None:
    one, _, police, room_id, alice = await guarded(pair)
    two = pair.servers["two"]
    await two.register("bob")
    path, body = f"/rooms/{quote(room_id)}/invite", {"user_id": "@bob:two"}
    police.refused = {"m.room.member"}
    pair.net.requests.clear()
    assert (await one.request("POST", path, body, token=alice)).status == 403
    assert not [target for _, _, _, target in pair.net.requests if "/invite/" in target]
    police.refused = set()
    await one.ok("POST", path, body, token=alice)
    assert police.signed == ["m.room.member", "m.room.member"]


async def test_many_senders_at_once_go_one_after_the_other(pair: Pair) -> None:
    one, _, police, room_id, alice = await guarded(pair)
    texts = [str(number) for number in range(10)]
    await gatherResults([Deferred.fromCoroutine(one.send(alice, room_id, text)) for text in texts])
    assert sorted(police.signed) == sorted(await shown(one, room_id, alice)) == texts
    live = await one.rooms.live.get(room_id)
    assert len(live.head.extremities) == 1
