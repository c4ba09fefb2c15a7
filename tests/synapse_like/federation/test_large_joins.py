"""Joining by a server that tells what is no room: nothing is left behind, and the next server is asked."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.federation import replies
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.rooms import told
from tests.kit.homeserver import Answer, TestServer
from tests.kit.pair import Pair, pair
from tests.kit.story import Host, Story

__all__ = ["pair"]

MEMBERS = 40
ALICE = "@alice:one"


class Scene:
    """A room of servers of the tests' own: `bad` and `good` both let others in. Alice on `one` wants to join."""

    def __init__(self, pair: Pair, token: str, version: str = "10") -> None:
        self.pair, self.token = pair, token
        self.one = pair.servers["one"]
        self.story = Story(pair.net, version, "@owner:bad")
        for number in range(MEMBERS):
            self.story.join(f"@user{number}:s{number % 3}")
        self.good = Host(pair, self.story, "good")
        self.bad = Host(pair, self.story, "bad")

    @property
    def room_id(self) -> str:
        return self.story.room_id

    def answers(self, reply: Callable[[], Any]) -> None:
        """What the bad server answers to a join."""
        self.bad.reply = reply  # type: ignore[method-assign]

    async def join(self, *via: str) -> Answer:
        query = "&".join(f"via={server}" for server in via)
        return await self.one.request("POST", f"/join/{quote(self.room_id)}?{query}", {}, token=self.token)

    async def stored(self, server: TestServer | None = None) -> int:
        """How many events of the room are stored."""
        database = (server or self.one).homeserver.kit.database
        sql = "SELECT count(*) FROM events e JOIN rooms r ON r.room_nid = e.room_nid WHERE r.room_id = :room_id"
        row = await database.read(lambda txn: txn.one(sql, room_id=self.room_id))
        return int(row[0]) if row else 0

    async def is_refused(self, why: str) -> None:
        """The bad server alone does not help, and nothing is left of what it told."""
        answer = await self.join("bad")
        assert answer.status == 502, answer
        assert why in answer.body["error"], answer.body
        assert await self.stored() == 0
        assert ALICE not in await self.members()
        assert self.room_id not in (await self.one.sync(self.token)).get("rooms", {}).get("join", {})

    async def members(self) -> set[str]:
        found = await self.one.rooms.memberships.members_of(self.room_id, ("join",))
        return {member.user_id for member in found}

    async def is_joined_by_the_good_one(self) -> None:
        """With the other server at hand it is."""
        answer = await self.join("bad", "good")
        assert answer.status == 200, answer
        assert len(await self.members()) == MEMBERS + 2
        assert self.room_id in (await self.one.sync(self.token))["rooms"]["join"]


async def scene(pair: Pair, version: str = "10") -> Scene:
    return Scene(pair, await pair.servers["one"].register("alice"), version)


def whole(s: Scene) -> bytes:
    return canonical_json(Host.reply(s.bad))


GARBAGE: dict[str, Callable[[Scene], Any]] = {
    "nothing": lambda s: b"",
    "no JSON": lambda s: b"<html>sorry</html>",
    "a list": lambda s: [],
    "another object": lambda s: {},
    "no auth chain": lambda s: {"state": Host.reply(s.bad)["state"]},
    "state of another type": lambda s: {"state": {}, "auth_chain": []},
    "what is cut off": lambda s: whole(s)[:-1],
    "what is cut off in the middle": lambda s: whole(s)[: len(whole(s)) // 2],
    "more after the end": lambda s: whole(s) + b"}",
    "depth": lambda s: b"[" * 100_000,
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_garbage(pair: Pair, what: str) -> None:
    s = await scene(pair)
    s.answers(lambda: GARBAGE[what](s))
    await s.is_refused("something else than a room")
    await s.is_joined_by_the_good_one()


async def test_a_connection_that_breaks(pair: Pair) -> None:
    s = await scene(pair)
    s.pair.net.breaks["bad"] = len(whole(s)) // 2
    await s.is_refused("broke")
    await s.is_joined_by_the_good_one()


async def test_more_than_a_room_may_have(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    s = await scene(pair)
    monkeypatch.setattr(told, "MOST_EVENTS", MEMBERS)
    await s.is_refused("too large")
    monkeypatch.undo()
    s.answers(lambda: {**Host.reply(s.bad), "x": "y" * 300_000})
    await s.is_refused("too large")
    await s.is_joined_by_the_good_one()


async def test_bad_events_harm_only_themselves(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one server's state nearly everything is bad in some way; what is good is taken."""
    s = await scene(pair)
    monkeypatch.setattr(replies, "MOST_KEYS", 1000)
    good = Host.reply(s.bad)
    members = [pdu for pdu in good["state"] if pdu["state_key"].startswith("@user")]
    rest = [pdu for pdu in good["state"] if pdu not in members]
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    bad: list[Any] = [
        {**members[0], "signatures": {}},
        {**members[1], "signatures": {"s1": {"ed25519:k": "A" * 86}}},
        {**members[2], "room_id": "!other:good"},
        {**members[3], "auth_events": ["$" + "x" * 43]},
        {**members[4], "content": {"membership": "join", "x": "y" * 70_000}},
        {**members[5], "content": {"membership": "join", "x": "y" * 600_000}},
        {**members[6], "content": {"membership": "join", "x": deep}},
        {**members[7], "depth": -1},
        {**members[8], "state_key": 5},
        {**members[9], "origin_server_ts": 1.5},
        {**members[10], "type": "m.room.member\0"},
        5, "text", None, [1, [2]], {}, [{}],
    ]  # fmt: skip
    told_state = [*bad, *members[11:], *rest, "no UTF-8"]
    text = json.dumps({"state": told_state, "auth_chain": good["auth_chain"]}).encode()
    s.answers(lambda: text.replace(b'"no UTF-8"', b'{"type":"\xff"}'))
    assert (await s.join("bad")).status == 200
    assert await s.members() == {pdu["state_key"] for pdu in members[11:]} | {"@owner:bad", ALICE}
    assert await s.stored() == len(members[11:]) + len(rest) + 1


async def test_a_changed_content_is_redacted(pair: Pair) -> None:
    s = await scene(pair)
    reply = Host.reply(s.bad)
    changed = next(pdu for pdu in reply["state"] if pdu["state_key"] == "@user5:s2")
    state = [
        pdu if pdu is not changed else {**pdu, "content": {"membership": "join", "displayname": "Somebody else"}}
        for pdu in reply["state"]
    ]
    s.answers(lambda: {"state": state, "auth_chain": reply["auth_chain"]})
    assert (await s.join("bad")).status == 200
    found = {m.user_id: m for m in await s.one.rooms.memberships.members_of(s.room_id, ("join",))}
    assert found["@user5:s2"].display_name is None
    assert found["@user6:s0"].display_name == "@user6:s0"


@pytest.mark.parametrize("version", ["1", "10", "12"])
async def test_any_order_and_both_formats(pair: Pair, version: str) -> None:
    """What authorizes the members comes after them, twice, and in a list around the reply."""
    s = await scene(pair, version)
    reply = Host.reply(s.bad)
    state = list(reversed(reply["state"]))
    s.answers(lambda: [200, {"state": [*state, state[3]], "auth_chain": [*reply["auth_chain"], *reply["auth_chain"]]}])
    assert (await s.join("bad")).status == 200
    assert len(await s.members()) == MEMBERS + 2
    live = await s.one.rooms.live.get(s.room_id)
    assert live.head.joined_members == MEMBERS + 2


async def test_a_room_without_what_authorizes_it(pair: Pair) -> None:
    s = await scene(pair)
    reply = Host.reply(s.bad)
    s.answers(lambda: {"state": reply["state"][2:], "auth_chain": []})
    answer = await s.join("bad")
    assert (answer.status, "cannot be" in answer.body["error"]) == (502, True)
    assert await s.members() == set()
    await s.is_joined_by_the_good_one()
