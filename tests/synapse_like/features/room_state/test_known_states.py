"""States that are kept say the same as events that are read one by one, whoever asks, and never what was redacted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from synapse_like.features.room_state.known_states import KnownStates, OpenEvent, WrittenState
from synapse_like.rooms.access import Past, PastOfKey
from tests.synapse_like.features.readers import Readers, server

__all__ = ["server"]

_READERS = ("alice", "bob", "carol", "dan", "eve")


async def test_everybody_gets_what_the_events_say_by_themselves(server: Readers) -> None:
    room_id = await server.found_room("world_readable")
    await server.become("bob", room_id, "join")
    await server.become("carol", room_id, "join")
    await server.become("carol", room_id, "leave")
    await server.set("alice", room_id, "m.room.topic", {"topic": "one"})
    await server.become("carol", room_id, "join")
    await server.become("dan", room_id, "invite", by="alice")
    await server.set("alice", room_id, "m.room.topic", {"topic": "two"})
    compared = 0
    for _ in range(2):
        for name in _READERS:
            for path in ("state", "members", "members?membership=join", "members?not_membership=join"):
                answer = await server.get(name, room_id, path)
                for event in answer if path == "state" else answer["chunk"]:
                    answered = await server.try_get(name, room_id, f"event/{event['event_id']}")
                    compared += answered.status == 200
                    assert answered.status == 404 or _timeless(event) == _timeless(answered.body), (name, path)
        await server.become("bob", room_id, "leave")
        await server.become("bob", room_id, "join")
    assert compared > 100


async def test_who_comes_is_there_at_once_and_the_others_are_not_read_again(server: Readers) -> None:
    room_id = await server.found_room()
    for name in _READERS[1:]:
        assert name not in await _members(server, room_id)
        await server.become(name, room_id, "join")
        assert name in await _members(server, room_id)
    await server.quiet()
    for event in await server.get("alice", room_id, "state"):
        server.rooms.events.forget(event["event_id"])
    await server.become("eve", room_id, "leave")
    await server.quiet()
    server.queries.clear()
    assert (await _members(server, room_id))["eve"] == "leave"
    assert len(server.queries) == 2


async def test_what_is_redacted_is_shown_no_more(server: Readers) -> None:
    room_id = await server.found_room()
    topic = await server.set("alice", room_id, "m.room.topic", {"topic": "a secret"})
    for _ in range(2):
        assert "a secret" in str(await server.get("alice", room_id, "state"))
    await server.redact("alice", room_id, topic)
    for _ in range(2):
        state = await server.get("alice", room_id, "state")
        assert "a secret" not in str(state)
        (event,) = (each for each in state if each["event_id"] == topic)
        assert event["unsigned"]["redacted_because"]["type"] == "m.room.redaction"


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=30))
def test_no_more_is_kept_than_fits(steps: list[tuple[int, int]]) -> None:
    limit = 20 * _state(1).weight
    known = KnownStates(limit)
    for room_nid, count in steps:
        known.keep((room_nid, ()), (count,), _state(count * 4))
        kept = [known.get((nid, ()), (version,)) for nid in range(1, 6) for version in range(4)]
        assert sum(state.weight for state, is_good in kept if is_good) <= limit
        assert len(known.cache) == sum(len(state) for state, is_good in kept if is_good)
    known.keep((9, ()), (0,), _state(11))
    assert known.get((9, ()), (0,))[1] is False, "larger than half of all"


def test_a_reader_that_was_away_and_back_is_told_so() -> None:
    events = {str(version): OpenEvent(b"%d:" % version, 5, b"", version, None, None) for version in (1, 3, 5, 7)}
    past = Past("@me:test", membership=PastOfKey([2, 4, 6], ["join", "ban", "join"]))
    written = WrittenState(events, ()).finished(past, 12).decode()
    assert [part.rpartition('"membership":')[2] for part in written[1:-1].split("}},")] == [
        '"leave"',
        '"join"',
        '"ban"',
        '"join"}}',
    ]


async def _members(server: Readers, room_id: str) -> dict[str, str]:
    chunk = (await server.get("alice", room_id, "members"))["chunk"]
    return {event["state_key"][1:-5]: event["content"]["membership"] for event in chunk}


def _state(count: int) -> WrittenState:
    return WrittenState({str(at): OpenEvent(b"x" * 100, 0, b"", 0, None, None) for at in range(count)}, ())


def _timeless(event: dict[str, Any]) -> dict[str, Any]:
    event["unsigned"].pop("age")
    return event
