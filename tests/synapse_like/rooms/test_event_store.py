"""Events are kept in memory by weight, the newest ones."""

from typing import Any

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.event_store import EventStore, StoredEvent, weight_of
from synapse_like.rooms.facts import Kind, StateRef
from synapse_like.toolkit.db import Database


def _event(number: int, body: str) -> StoredEvent:
    pdu: dict[str, Any] = {"type": "m.room.message", "sender": "@a:test", "room_id": "!r:test"}
    pdu |= {"content": {"body": body}, "origin_server_ts": 1, "depth": number, "prev_events": [], "auth_events": []}
    event = Event.restored(f"${number}", pdu, room_version("11"))
    size = len(event.encoded)
    return StoredEvent(event, number, 1, 1, number, Kind.LIVE, 1, StateRef(0, 1), None, 0, 0, {}, size)


async def test_large_events_leave_room_for_fewer(database: Database) -> None:
    small = weight_of(len(_event(1, "").event.encoded)) + 10
    store = EventStore(database, limit_bytes=10 * small)
    for number in range(30):
        store.remember(_event(number, ""))
    assert len(store.cache) == store.cache.limit == 10
    assert store.peek("$29") and not store.peek("$19")
    store.remember(_event(30, "x" * small))
    assert store.peek("$30") and len(store.cache) == 7


async def test_what_is_forgotten_weighs_nothing(database: Database) -> None:
    store = EventStore(database, limit_bytes=2 * weight_of(1000))
    for _ in range(5):
        store.remember(_event(1, "x" * 500))
        store.forget("$1")
    store.remember(_event(2, "x" * 500))
    store.remember(_event(3, "x" * 500))
    assert store.peek("$2") and store.peek("$3") and len(store.cache) == 2
