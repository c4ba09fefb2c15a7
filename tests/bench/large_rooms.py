"""What rooms of other servers cost in this process: joining one of 5,000 members, and resolving forks of large states.

Servers are in one process and speak without sockets, signatures and all; figures are CPU time of the whole process.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.matrix.signatures import build_event
from synapse_like.matrix.state_resolution import InMemoryEvents, resolve
from tests.kit import reactor
from tests.kit.pair import Net, Pair
from tests.kit.stranger import Stranger

MEMBERS = 5_000
SERVERS = 50
STATE = 5_000
FORKS = 50


def run(kind: str) -> None:
    """Measure all, on that kind of database."""
    for version in ("10", "12"):
        resolution(version)
    reactor.run(_with_servers(kind), 600)


def _told(what: str, cpu_s: float, wall_s: float, count: int) -> None:
    print(
        f"{what:<58} {cpu_s * 1000:9.0f} ms CPU {wall_s * 1000:9.0f} ms, {cpu_s * 1e6 / count:8.0f} us each", flush=True
    )


async def _measured(what: str, count: int, work: Callable[[], Awaitable[Any]]) -> Any:
    cpu, wall = time.process_time(), time.perf_counter()
    result = await work()
    _told(what, time.process_time() - cpu, time.perf_counter() - wall, count)
    return result


class Story:
    """A room made by hand."""

    def __init__(self, net: Net, version: str, owner: str = "@owner:s0") -> None:
        self.net = net
        self.version = room_version(version)
        self.owner = owner
        self.room_id = "!large:" + owner.partition(":")[2]
        self.events: list[Event] = []
        self.clock = 1_700_000_000_000
        content: dict[str, Any] = {"room_version": version}
        if not self.version.implicit_creator:
            content["creator"] = owner
        self.create = self.add("m.room.create", owner, content, "", [])
        self.room_id = self.create.room_id
        implied = [] if self.version.domainless_room_id else [self.create]
        self.first = self.add("m.room.member", owner, {"membership": "join"}, owner, implied)
        users = {} if self.version.privileged_creators else {owner: 100}
        levels = {"users": users, "state_default": 0}
        self.levels = self.add("m.room.power_levels", owner, levels, "", [*implied, self.first])
        self.rules = self.add(
            "m.room.join_rules", owner, {"join_rule": "public"}, "", [*implied, self.first, self.levels]
        )
        self.implied = implied

    def add(
        self, kind: str, sender: str, content: dict[str, Any], state_key: str | None, auth: list[Event], **more: Any
    ) -> Event:
        """One more event, on the last one."""
        self.clock += 1
        server = sender.partition(":")[2]
        pdu: dict[str, Any] = {
            "type": kind,
            "sender": sender,
            "content": content,
            "origin_server_ts": self.clock,
            "depth": len(self.events) + 1,
            "prev_events": [self.events[-1].reference] if self.events else [],
            "auth_events": [event.reference for event in auth],
        }
        if kind != "m.room.create" or not self.version.domainless_room_id:
            pdu["room_id"] = self.room_id
        if state_key is not None:
            pdu["state_key"] = state_key
        key = self.net.key_of(server)
        event = build_event(pdu | more, room_version=self.version, signing_key=key, server_name=server)
        self.events.append(event)
        return event

    def join(self, user_id: str) -> Event:
        """Somebody joins."""
        auth = [*self.implied, self.levels, self.rules]
        return self.add("m.room.member", user_id, {"membership": "join", "displayname": user_id}, user_id, auth)

    def state(self, key: str, value: int) -> Event:
        """The owner sets something."""
        auth = [*self.implied, self.first, self.levels]
        return self.add("org.example.setting", self.owner, {"value": value}, key, auth)


def resolution(version: str) -> None:
    """Two branches, each with 5,000 state events that the other has otherwise."""
    story = Story(Net(), version)
    base = {event.key: event.event_id for event in story.events}
    branches = [
        base | {event.key: event.event_id for event in (story.state(f"k{n}", value) for n in range(STATE))}
        for value in (1, 2)
    ]
    source = InMemoryEvents(story.events)
    cpu, wall = time.process_time(), time.perf_counter()
    resolve(story.version, branches, source)
    name = story.version.state_resolution.value
    _told(f"resolution {name}: 2 x {STATE} events", time.process_time() - cpu, time.perf_counter() - wall, 2 * STATE)


class Host(Stranger):
    """A server that lets others into a room made by hand."""

    story: Story

    def _answer(self, method: str, target: str, body: Any) -> Any:
        if "/make_join/" in target:
            user_id = target.partition("?")[0].rpartition("/")[2]
            auth = [*self.story.implied, self.story.levels, self.story.rules]
            last = self.story.events[-1]
            event = {
                "depth": last.depth + 1,
                "prev_events": [last.reference],
                "auth_events": [e.reference for e in auth],
            }
            return {"room_version": self.story.version.identifier, "event": {**event, "sender": user_id}}
        if "/send_join/" in target:
            pdus = [event.pdu for event in self.story.events]
            return {"state": pdus, "auth_chain": pdus[:4]}
        return super()._answer(method, target, body)


async def _with_servers(kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Net(), Path(folder), kind)
        one = await pair.start("one")
        token = await one.register("alice")
        host = Host(pair)
        host.story = Story(pair.net, "10", "@owner:three")
        for number in range(MEMBERS):
            host.story.join(f"@user{number}:s{number % SERVERS}")
        room_id = host.story.room_id

        async def join() -> None:
            await one.ok("POST", f"/join/{quote(room_id)}", {}, token=token, query={"via": "three"})

        await _measured(f"join of a room of {MEMBERS} members ({kind})", MEMBERS, join)
        await _forks(one, host, room_id, kind)
        await pair.stop()


async def _forks(one: Any, host: Host, room_id: str, kind: str) -> None:
    """State events that all fork off the same point of a large room, and one that merges them."""
    story = host.story
    live = await one.rooms.live.get(room_id)
    tip = (await one.rooms.events.get_one(live.head.extremities[0].event_id)).event
    forks = []
    for number in range(FORKS):
        more = {"prev_events": [tip.reference], "depth": tip.depth + 1}
        auth = [*story.implied, story.levels, story.first]
        content = {"value": number}
        forks.append(story.add("org.example.fork", story.owner, content, f"f{number % 10}", auth, **more))

    async def fork() -> None:
        for event in forks:
            await one.rooms.reception.take_in(room_id, [event])

    await _measured(f"state event on a fork of {MEMBERS} keys, up to {FORKS} tips ({kind})", FORKS, fork)
    auth = [*story.implied, story.levels, story.first]

    def message(prev: Sequence[Event], depth: int) -> Event:
        more = {"prev_events": [event.reference for event in prev], "depth": depth}
        return story.add("m.room.message", story.owner, {"body": "x"}, None, auth, **more)

    on_one_tip = [message([forks[-1]], tip.depth + 2)]
    for _ in range(FORKS):
        on_one_tip.append(message([on_one_tip[-1]], on_one_tip[-1].depth + 1))

    async def talk() -> None:
        for event in on_one_tip:
            await one.rooms.reception.take_in(room_id, [event])

    await _measured(f"message on one of {FORKS} tips ({kind})", len(on_one_tip), talk)
    merging = [message(forks[start : start + 20], tip.depth + 90) for start in range(0, FORKS, 20)]

    async def merge() -> None:
        for event in merging:
            await one.rooms.reception.take_in(room_id, [event])

    await _measured(f"message that merges 20 tips ({kind})", len(merging), merge)
    after = await one.rooms.live.get(room_id)
    print(f"   {len(after.head.extremities)} extremities are left", flush=True)
