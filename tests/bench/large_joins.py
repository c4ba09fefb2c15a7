"""What it costs to join a large room: CPU, and how much memory at most, with real signatures of 50 servers.

The reply is made in one process and lies in a file; another process reads it in parts of 64 KB as if they came from the
network, so that its memory is that of the join alone. State comes in the order of types, as Synapse sends it: the power
levels, which authorize every member, come after all of them.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from synapse_like.federation import Federation
from synapse_like.federation.keys import KeyRing, ServerKey
from tests.bench.large_rooms import SERVERS
from tests.kit import reactor
from tests.kit.pair import Net, Pair
from tests.kit.story import Host, Story

_PART = 64 * 1024
_REPLY = "reply.json"
_ROOM = "room.json"


def tell(folder: str, members: int) -> None:
    """Write the reply to a join of a room of so many members into the folder, and what else a join asks for."""
    story = Story(Net(), "10", "@owner:three")
    auth = [event.pdu for event in story.events]
    with (Path(folder) / _REPLY).open("wb") as file:
        file.write(b'{"state":[' + story.create.encoded + b"," + story.rules.encoded + b"," + story.first.encoded)
        for number in range(members):
            event = story.join(f"@user{number}:s{number % SERVERS}")
            file.write(b"," + event.encoded)
            del story.events[4:-1]
        file.write(b"," + story.levels.encoded)
        file.write(b'],"auth_chain":[' + b",".join(event.encoded for event in story.events[:4]) + b"]}")
    last = story.events[-1]
    (Path(folder) / _ROOM).write_text(json.dumps({"events": [*auth, last.pdu], "servers": sorted(story.net.keys)}))


def join(folder: str, members: int, kind: str) -> None:
    """Join the room of the folder, and say what it cost."""
    reactor.run(_join(Path(folder), members, kind), 900)


async def _join(folder: Path, members: int, kind: str) -> None:
    told = json.loads((folder / _ROOM).read_text())
    with tempfile.TemporaryDirectory() as place:
        pair = Pair(Net(), Path(place), kind)
        _keep_the_ring(pair.net)
        one = await pair.start("one")
        one.homeserver.kit.database.observers.clear()  # which keep the text of every statement
        alice = await one.register("alice")
        for name in told["servers"]:
            pair.net.key_of(name)
        host = Host(pair, Story(pair.net, "10", "@owner:three"))
        _serve(one, folder / _REPLY)
        room_id = host.story.room_id
        before, cpu, wall = resident("VmRSS"), time.process_time(), time.perf_counter()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
        await one.ok("POST", f"/join/{quote(room_id)}", {}, token=alice, query={"via": "three"})
        cpu, wall, peak = time.process_time() - cpu, time.perf_counter() - wall, resident("VmHWM")
        assert (await one.rooms.live.get(room_id)).head.joined_members == members + 2
        size = (folder / _REPLY).stat().st_size
        print(
            f"join of {members} members ({kind}): {cpu * 1000:.0f} ms CPU, {cpu * 1e6 / members:.0f} us a member, "
            f"{cpu * 1e9 / size:.1f} ms/MB, {wall:.1f} s; reply {size / 2**20:.1f} MiB; "
            f"memory {before / 2**20:.0f} MiB, at most {(peak - before) / 2**20:.1f} MiB more",
            flush=True,
        )
        await pair.stop()


def resident(name: str) -> int:
    """Bytes of this process by a line of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def _keep_the_ring(net: Net) -> None:
    """Signatures are checked by the key ring, as always; only the keys come from the tests."""
    connect = net.connect

    def connected(server: Any) -> None:
        connect(server)
        ring: Any = server.homeserver.front(Federation).keys

        async def find(needed: Any, *_: Any) -> dict[Any, ServerKey]:
            return {name: ServerKey(name[0], net.keys[name[0]].verify_key, 2**53, False, 0) for name in needed}

        ring.find_keys = find
        ring.verify_events = KeyRing.verify_events.__get__(ring)

    net.connect = connected  # type: ignore[method-assign]


def _serve(server: Any, reply: Path) -> None:
    client: Any = server.homeserver.front(Federation).client
    clock = server.homeserver.kit.clock

    async def stream(destination: str, path: str, write: Any, *_: Any, **__: Any) -> None:
        with reply.open("rb") as file:
            while part := file.read(_PART):
                write(part)
                await clock.sleep(0)

    client.stream = stream
