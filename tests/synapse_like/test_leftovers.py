"""What a server keeps in memory of a room that everybody has left and forgotten."""

import gc
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.kit.homeserver import TestServer

OURS = ("synapse_like", "replication", "workers")
BOUNDED = {"RecentFacts._by_key", "TypingSection._rooms"}
"""What was said last goes when enough else was said: clients that come late have yet to be told."""
OF_USERS = {"_Entry.rooms"}
"""Where users were belongs to the users."""


async def test_a_room_that_everybody_has_left_leaves_nothing_behind(server: TestServer) -> None:
    ann, ben = await server.register("ann"), await server.register("ben")
    room = await server.create_room(ann, preset="public_chat")
    await server.join(ben, room)
    since = (await server.sync(ben))["next_batch"]
    await _use(server, ann, ben, room)
    await server.sync(ben, since)
    assert len(keepers(room)) > 5
    for token in (ann, ben):
        for what in ("leave", "forget"):
            await server.ok("POST", f"/rooms/{quote(room)}/{what}", {}, token=token)
    another = await server.create_room(ann)  # of deserted rooms the last one is kept
    await server.ok("POST", f"/rooms/{quote(another)}/leave", {}, token=ann)
    await server.quiet()
    assert keepers(room) <= BOUNDED | OF_USERS


async def _use(server: TestServer, writer: str, reader: str, room: str) -> None:
    path = f"/rooms/{quote(room)}"
    event_id = (await server.ok("PUT", f"{path}/send/m.room.message/1", {"body": "x"}, token=writer))["event_id"]
    await server.ok("POST", f"{path}/receipt/m.read/{quote(event_id)}", {}, token=reader)
    for is_typing in (True, False):
        await server.ok("PUT", f"{path}/typing/@ben:test", {"typing": is_typing, "timeout": 1000}, token=reader)
    for read in ("messages?dir=b", "members", "state"):
        await server.ok("GET", f"{path}/{read}", token=reader)


def keepers(room_id: str) -> set[str]:
    """The attributes of our objects that are keyed by a room id, or by something that holds it."""
    return {
        f"{type(owner).__name__}.{name}"
        for owner in gc.get_objects()
        if str(type(owner).__module__).split(".")[0] in OURS and "SyncContext" not in type(owner).__name__
        for name, value in _attributes(owner)
        if isinstance(value, dict | set) and any(key == room_id or _holds(key, room_id) for key in list(value))
    }


def _holds(key: Any, room_id: str) -> bool:
    return isinstance(key, tuple) and room_id in key


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(owner, type):
        return
    yield from list(getattr(owner, "__dict__", {}).items())
    for each in type(owner).__mro__:
        slots = each.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name != "__dict__" and hasattr(owner, name):
                yield name, getattr(owner, name)
