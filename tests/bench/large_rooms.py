"""What rooms of other servers cost in this process: resolving forks of large states.

Servers are in one process and speak without sockets, signatures and all; figures are CPU time of the whole process.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from synapse_like.matrix.events import Event
from synapse_like.matrix.state_resolution import InMemoryEvents, resolve
from tests.kit import reactor
from tests.kit.pair import Net, Pair
from tests.kit.story import Host, Story

MEMBERS = 10_000
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


async def _with_servers(kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Net(), Path(folder), kind)
        one = await pair.start("one")
        token = await one.register("alice")
        host = Host(pair, Story(pair.net, "10", "@owner:three"))
        for number in range(MEMBERS):
            host.story.join(f"@user{number}:s{number % SERVERS}")
        room_id = host.story.room_id

        await one.ok("POST", f"/join/{quote(room_id)}", {}, token=token, query={"via": "three"})
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
