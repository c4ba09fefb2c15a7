"""What must hold after a fault, whatever it was."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.faults.ledger import Ledger
from tests.faults.load import Keeper, Load, Reader, Sender, Walker
from tests.faults.parts import Parts
from tests.kit.client import V3
from tests.kit.sync_client import STANDING, SyncClient, Vanished, differences

AGREE_SECONDS: Final = 20.0
WHOLE: Final = '{"room":{"timeline":{"limit":50}}}'

_EVENTS = """
    SELECT rooms.room_id, event_id, number, depth, kind, sender, json FROM events
    JOIN rooms USING (room_nid) ORDER BY rooms.room_id, depth, number
"""
_HEADS = "SELECT rooms.room_id, extremities FROM room_heads JOIN rooms USING (room_nid)"
_MEMBERS = "SELECT rooms.room_id, user_id, membership FROM members JOIN rooms USING (room_nid)"
_VANISHED = """
    SELECT DISTINCT rooms.room_id, state_keys.type, state_keys.state_key FROM state_trunk
    JOIN rooms USING (room_nid) JOIN state_keys USING (key_nid) WHERE state_trunk.event_nid IS NULL
"""


def check(parts: Parts, load: Load, broken: int = 0) -> None:
    """Everything, after the load has stopped. So many connections may have ended without an answer."""
    ledger, workers = load.ledger, load.workers
    problems = [f"wrong answer: {each}" for each in ledger.wrong] + [f"too slow: {each}" for each in ledger.slow]
    if len(ledger.broken) > broken:
        problems += [f"no answer: {each}" for each in ledger.broken]
    problems += stored(parts, [each for each in workers if isinstance(each, Sender)])
    problems += rooms_walked(parts, [each for each in workers if isinstance(each, Walker)])
    for worker in workers:
        if isinstance(worker, Reader):
            problems += view(parts, worker)
        elif isinstance(worker, Keeper):
            problems += kept(worker)
    assert not problems, f"{len(problems)} problems, {dict(ledger.statuses)}:\n" + "\n".join(problems[:40])


def stored(parts: Parts, senders: Sequence[Sender]) -> Iterator[str]:
    """In the database: one chain of events per room, each acknowledged message in it once and in order."""
    by_room: dict[str, list[dict[str, Any]]] = {}
    for room_id, event_id, number, depth, kind, sender, text in parts.rows(_EVENTS):
        event = json.loads(text)
        by_room.setdefault(room_id, []).append(
            {**event, "event_id": event_id, "number": number, "depth": depth, "kind": kind, "sender": sender}
        )
    for room_id, events in by_room.items():
        yield from _chain(room_id, events)
    for room_id, extremities in parts.rows(_HEADS):
        heads = [head[0] for head in json.loads(extremities)]
        if heads != [by_room[room_id][-1]["event_id"]]:
            yield f"{room_id}: heads {heads}, but the last event is {by_room[room_id][-1]['event_id']}"
    for sender in senders:
        own = [
            event
            for event in by_room[sender.room_id]
            if event["sender"] == sender.client.user_id and event["type"] == "m.room.message"
        ]
        bodies = [event["content"]["body"] for event in own]
        if bodies != [f"{sender.client.user_id} {number}" for number in range(len(bodies))]:
            yield f"messages of {sender.client.user_id}: {bodies}"
        if [event["event_id"] for event in own] != sender.acknowledged:
            yield f"{sender.client.user_id}: {len(own)} stored, {len(sender.acknowledged)} acknowledged, or others"


def _chain(room_id: str, events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Each event is built on the one before it, and on nothing else; numbers and depths grow."""
    for before, event in zip((None, *events), events, strict=False):
        wanted = [] if before is None else [before["event_id"]]
        if event["prev_events"] != wanted:
            yield f"{room_id}: {event['event_id']} is built on {event['prev_events']}, not on {wanted}"
        if before is not None and (before["number"] >= event["number"] or before["depth"] + 1 != event["depth"]):
            yield f"{room_id}: {event['event_id']} has number {event['number']}, depth {event['depth']}"
        if event["kind"] != 0:
            yield f"{room_id}: {event['event_id']} is of kind {event['kind']}"


def rooms_walked(parts: Parts, walkers: Sequence[Walker]) -> Iterator[str]:
    """Everybody is in those rooms, and only in those, of which they were told so."""
    held = {(room_id, user_id): membership for room_id, user_id, membership in parts.rows(_MEMBERS)}
    for walker in walkers:
        for room_id, is_in in walker.is_in.items():
            membership = held.get((room_id, walker.client.user_id))
            if (membership == "join") is not is_in:
                yield f"{walker.client.user_id} is {membership} in {room_id}, and was told {is_in}"


def kept(keeper: Keeper) -> Iterator[str]:
    """The account data are what was acknowledged last."""
    path = f"{V3}/user/{keeper.client.user_id}/account_data/example.counter"
    if keeper.written >= 0 and (found := keeper.client.call("GET", path)) != {"value": keeper.written}:
        yield f"account data of {keeper.client.user_id}: {found}, acknowledged {keeper.written}"


def view(parts: Parts, reader: Reader) -> Iterator[str]:
    """What a reader has gathered equals what one sees who has just begun; its tokens work at every process."""
    vanished: Vanished = {(room_id, kind, key) for room_id, kind, key in parts.rows(_VANISHED)}
    deadline = time.monotonic() + AGREE_SECONDS
    calm = Ledger()
    while True:
        while reader.take(calm).keys() - STANDING:
            pass
        fresh = Reader(reader.client)
        fresh.take(calm)
        found = differences(reader.view, fresh.view, vanished)
        if not found or time.monotonic() > deadline:
            break
    yield from (f"{reader.client.user_id}: {each}" for each in found)
    yield from _everywhere(parts, reader, fresh.view)


def _everywhere(parts: Parts, reader: Reader, fresh: SyncClient) -> Iterator[str]:
    """With a token of any age, any process tells what came since."""
    middle = reader.tokens[len(reader.tokens) // 2]
    for name in parts.running():
        here = reader.client.at(parts.url_of(name))
        for since in (reader.tokens[-1], middle):
            status, reply = here.request("GET", f"{V3}/sync", query={"since": since, "filter": WHOLE})
            if status != 200:
                yield f"{name}: /sync answered {status} {reply}"
                continue
            for room_id, part in reply.get("rooms", {}).get("join", {}).items():
                events = [event["event_id"] for event in part["timeline"]["events"]]
                if since == reader.tokens[-1] and events:
                    yield f"{name}: {events} of {room_id} come after the newest token"
                if events and events[-1:] != fresh.rooms[room_id].timeline[-1:]:
                    yield f"{name}: {room_id} ends with {events[-1:]}, not with {fresh.rooms[room_id].timeline[-1:]}"


def report(title: str, load: Load, since_s: float) -> str:
    """What clients felt, in one line."""
    ledger = load.ledger
    refused = Counter({name: count for name, count in ledger.statuses.items() if not name.endswith(" 200")})
    sends = sum(done.label == "send" for done in ledger.done)
    return (
        f"{title}: {sends} sends; since the fault p99 {ledger.took('send', since_s):.2f} s, "
        f"longest {ledger.longest('send', since_s):.2f} s; told to come back: {dict(refused) or 'nobody'}"
    )
