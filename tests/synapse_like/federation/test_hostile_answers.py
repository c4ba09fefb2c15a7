"""Whatever another server answers to what we ask: our user gets a Matrix error at worst, and nothing of ours breaks.

The other server is a real one, whose answers are damaged on their way.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.damage import Damage, damage, damaged, text_of
from tests.kit.homeserver import Answer, TestServer
from tests.kit.pair import Net, Pair
from tests.synapse_like.federation.hostile_scene import ENOUGH, faults

LONGEST_S = 120
LARGEST = 128 * 1024 * 1024
GARBAGE = [b"", b"<html>", b"{", b"[]", b"null", b"5", b"[" * 5000, b'{"a":NaN}', b"\xff", b'{"errcode":5}']


class Crooked:
    """Alice on `one` asks `two`, where Bob is. `damages` are what becomes of the answers to a kind of request."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.one: TestServer = pair.servers["one"]
        self.two: TestServer = pair.servers["two"]
        self.alice = self.bob = self.shared = self.space = ""
        self.count = 0
        self.damages: dict[str, tuple[Any, int]] = {}
        self.damaged: set[str] = set()
        pair.net.tamper = self.tamper

    async def furnish(self) -> None:
        self.alice, self.bob = await self.one.register("alice"), await self.two.register("bob")
        self.shared = await self.room(preset="public_chat")
        self.space = await self.room(preset="public_chat", creation_content={"type": "m.space"})
        for room_id in (self.shared, self.space):
            await self.ask("POST", f"/join/{quote(room_id)}?via=two", {})
        await self.pair.settled()

    def tamper(self, origin: str, target: str, status: int, body: bytes) -> tuple[int, bytes]:
        path = target.removeprefix("/_matrix/federation/")
        kind = next((kind for kind in self.damages if path.startswith((f"v1/{kind}", f"v2/{kind}"))), None)
        if origin != "one" or kind is None:
            return status, body
        self.damaged.add(kind)
        damages, new_status = self.damages[kind]
        if isinstance(damages, bytes):
            return new_status or status, damages
        return new_status or status, text_of(damaged(json.loads(body), damages))

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Alice asks her server."""
        return await self.one.request(method, path, body, token=self.alice)

    async def room(self, **options: Any) -> str:
        """A room of Bob's with something in it."""
        self.count += 1
        room_id = await self.two.create_room(self.bob, name="Bob's", room_alias_name=f"room{self.count}", **options)
        for number in range(3):
            await self.two.send(self.bob, room_id, f"{number}")
        return room_id


async def join(c: Crooked) -> Answer:
    room_id = await c.room(preset="public_chat")
    answer = await c.ask("POST", f"/join/{quote(room_id)}?via=two", {})
    await c.ask("GET", f"/_matrix/client/v1/rooms/{quote(room_id)}/timestamp_to_event?ts=1&dir=f")
    await c.ask("GET", f"/rooms/{quote(room_id)}/messages?dir=b&limit=50")
    await c.ask("GET", f"/rooms/{quote(room_id)}/state")
    await c.ask("POST", f"/rooms/{quote(room_id)}/leave", {})
    return answer


async def join_by_alias(c: Crooked) -> Answer:
    await c.room(preset="public_chat")
    await c.ask("GET", f"/directory/room/{quote(f'#room{c.count}:two')}")
    return await c.ask("POST", f"/join/{quote(f'#room{c.count}:two')}", {})


async def knock(c: Crooked) -> Answer:
    rule = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
    room_id = await c.room(initial_state=[rule])
    answer = await c.ask("POST", f"/knock/{quote(room_id)}?via=two", {})
    await c.ask("POST", f"/rooms/{quote(room_id)}/leave", {})
    return answer


async def refuse_an_invite(c: Crooked) -> Answer:
    room_id = await c.room()
    await c.two.ok("POST", f"/rooms/{quote(room_id)}/invite", {"user_id": "@alice:one"}, token=c.bob)
    await c.pair.settled()
    return await c.ask("POST", f"/rooms/{quote(room_id)}/leave", {})


async def invite(c: Crooked) -> Answer:
    c.count += 1
    room_id = await c.one.create_room(c.alice, name="Alice's")
    return await c.ask("POST", f"/rooms/{quote(room_id)}/invite", {"user_id": "@bob:two"})


async def talk(c: Crooked) -> Answer:
    c.count += 1
    message = {"msgtype": "m.text", "body": "x"}
    answer = await c.ask("PUT", f"/rooms/{quote(c.shared)}/send/m.room.message/t{c.count}", message)
    await c.pair.settled()
    return answer


async def look_around(c: Crooked) -> Answer:
    child = await c.room(preset="public_chat")
    path = f"/rooms/{quote(c.space)}/state/m.space.child/{quote(child)}"
    await c.two.ok("PUT", path, {"via": ["two"]}, token=c.bob)
    await c.pair.settled()
    await c.ask("GET", f"/profile/{quote('@bob:two')}")
    await c.ask("GET", "/publicRooms?server=two&limit=5")
    await c.ask("POST", "/publicRooms?server=two", {"filter": {"generic_search_term": "x"}})
    await c.ask("GET", f"/_matrix/client/v1/rooms/{quote(c.space)}/hierarchy")
    await c.ask("POST", "/keys/query", {"device_keys": {"@bob:two": [], f"@carol{c.count}:two": []}})
    return await c.ask("POST", "/keys/claim", {"one_time_keys": {"@bob:two": {"D": "signed_curve25519"}}})


async def cross_a_gap(c: Crooked) -> Answer:
    """What was said while the servers were apart: one event comes, the rest has to be fetched."""
    c.pair.net.cut.add("one")
    for number in range(25):
        path = f"/rooms/{quote(c.shared)}/state/org.example.{number % 3}/"
        await c.two.ok("PUT", path, {"n": [c.count, number]}, token=c.bob)
    c.pair.net.cut.clear()
    c.count += 1
    last = await c.two.send(c.bob, c.shared, "after the gap")
    stored = await c.two.rooms.events.get_one(last)
    assert stored is not None
    body = {"origin": "two", "origin_server_ts": 1, "pdus": [stored.event.pdu], "edus": []}
    status, told = await c.pair.ask("two", "one", "PUT", f"/_matrix/federation/v1/send/gap{c.count}", text_of(body))
    await c.pair.settled()
    return Answer(status, told, {})


async def cross_a_gap_as_a_whole(c: Crooked) -> Answer:
    """The same, where so much is missing that the state is asked for at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synapse_like.federation.inbound.gaps.SINGLE_EVENTS", 0)
        return await cross_a_gap(c)


Action = Callable[[Crooked], Awaitable[Answer]]
ASKED: dict[str, Action] = {
    "make_join": join,
    "send_join": join,
    "backfill": join,
    "timestamp_to_event": join,
    "query/directory": join_by_alias,
    "make_knock": knock,
    "send_knock": knock,
    "make_leave": refuse_an_invite,
    "send_leave": refuse_an_invite,
    "invite": invite,
    "query/profile": look_around,
    "publicRooms": look_around,
    "hierarchy": look_around,
    "user/keys/query": look_around,
    "user/keys/claim": look_around,
    "get_missing_events": cross_a_gap,
    "state_ids": cross_a_gap,
    "event/": cross_a_gap,
    "state/": cross_a_gap_as_a_whole,
    "send/": talk,
}
"""What is asked of other servers, and by whom here."""


@pytest.fixture
async def crooked(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two servers."""
    monkeypatch.setattr("synapse_like.federation.inbound.staging.PAUSE_S", 0.0)
    pair = Pair(Net(), tmp_path, "sqlite")
    for name in ("one", "two"):
        await pair.start(name, allow_public_rooms_over_federation=True)
    scene = Crooked(pair)
    await scene.furnish()
    yield scene
    await pair.stop()


_damaged = st.one_of(st.lists(damage, min_size=1, max_size=3), st.sampled_from(GARBAGE))
_statuses = st.sampled_from([0, 0, 0, 0, 400, 404, 403, 500, 429])


@ENOUGH
@given(kind=st.sampled_from(list(ASKED)), damages=_damaged, status=_statuses)
@pytest.mark.timeout(170)
async def test_damaged_answers_break_nothing(
    crooked: Crooked, caplog: pytest.LogCaptureFixture, kind: str, damages: Any, status: int
) -> None:
    caplog.clear()
    crooked.damaged.clear()
    crooked.damages = {kind: (damages, status)}
    answer = await ASKED[kind](crooked)
    await crooked.pair.settled()
    crooked.damages = {}
    assert answer.status < 500 or answer.status in (502, 504), answer
    assert answer.status == 200 or str(answer.body["errcode"]).startswith("M_"), answer
    await crooked.one.send(crooked.alice, crooked.shared, f"well {crooked.count}")
    await crooked.one.ok("GET", f"/rooms/{quote(crooked.shared)}/messages?dir=b&limit=50", token=crooked.alice)
    await crooked.one.caught_up()
    await crooked.one.sync(crooked.alice)
    assert faults(caplog) == []


async def test_everything_is_asked_within_bounds(crooked: Crooked) -> None:
    """The table of what is asked is true, and no answer may come as late or be as large as it likes."""
    for kind, action in ASKED.items():
        crooked.damages = {kind: ([], 0)}
        await action(crooked)
        await crooked.pair.settled()
        assert crooked.damaged == {kind}
        crooked.damaged.clear()
    assert all(timeout_s <= LONGEST_S and size <= LARGEST for timeout_s, size in crooked.pair.net.bounds.values())


def test_all_damage_is_text() -> None:
    """The strategies make what can be sent."""
    assert text_of(damaged({"a": [1]}, [Damage(1, "other", float("inf"), "x")])) == b'{"a": [Infinity]}'
