"""What one batch of events writes: few statements, each for all events of the batch."""

from collections.abc import Sequence

import msgspec
import orjson

from replication.streams import Storage
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.changes import member_change
from synapse_like.rooms.event_store import MAX_DEPTH
from synapse_like.rooms.facts import EVENTS, EventFact, Head, Kind, StateRef
from synapse_like.rooms.ports import PersistEffect
from synapse_like.rooms.sql import events as events_sql
from synapse_like.rooms.sql import redactions as redactions_sql
from synapse_like.rooms.sql import rooms as rooms_sql
from synapse_like.rooms.sql import state as state_sql
from synapse_like.toolkit.db import Transaction

MAX_TIME_MS = 2**53
"""The latest time of sending that is kept; old room versions allow more."""

_WITHOUT_HEAD = (Kind.BACKFILLED, Kind.OUT_OF_BAND)

NO_HEAD = Head(
    depth=0,
    trunk_version=0,
    extremities=(),
    notified=0,
    highlighted=0,
    joined_members=0,
    invited_members=0,
)


def storage(effects: Sequence[PersistEffect]) -> Storage[EventFact]:
    """How the `events` stream is stored, with the effects of features in the same transaction."""

    def store(transaction: Transaction, facts: Sequence[EventFact]) -> None:
        _store_events(transaction, facts)
        _store_state(transaction, facts)
        _store_branches(transaction, facts)
        _store_heads(transaction, facts)
        rooms_sql.add_transactions(
            transaction,
            [(f.room_nid, *f.transaction, f.event.event_id, f.received_ms) for f in facts if f.transaction is not None],
        )
        rooms_sql.add_redactions(
            transaction, [(f.room_nid, f.redacts, f.event_nid, f.number) for f in facts if f.redacts is not None]
        )
        redactions_sql.wait(
            transaction, [(f.room_nid, f.event.redacts, f.event.event_id) for f in facts if _waits_for_target(f)]
        )
        for effect in effects:
            effect(transaction, facts)

    return Storage(EVENTS, store, load)


def _waits_for_target(fact: EventFact) -> bool:
    """Whether an event of another server redacts what may not be known yet. Ours redact what is known, or nothing."""
    target = fact.event.redacts
    if fact.kind is not Kind.LIVE or target is None or fact.redacts is not None or fact.transaction is not None:
        return False
    return len(target) <= 255 and "\0" not in target


def _store_events(transaction: Transaction, facts: Sequence[EventFact]) -> None:
    rows = [
        (
            fact.event_nid,
            fact.event.event_id,
            fact.room_nid,
            fact.number,
            min(fact.event.depth, MAX_DEPTH),
            int(fact.kind),
            fact.event.type,
            fact.key_nid,
            fact.event.sender,
            fact.received_ms,
            max(-MAX_TIME_MS, min(fact.event.origin_server_ts, MAX_TIME_MS)),
            fact.before.branch,
            fact.before.version,
            fact.thread,
            fact.notified,
            fact.highlighted,
            fact.event.encoded.decode(),
            orjson.dumps(fact.extras).decode() if fact.extras else None,
        )
        for fact in facts
    ]
    events_sql.add(transaction, rows)


def _store_state(transaction: Transaction, facts: Sequence[EventFact]) -> None:
    trunk, current, members = [], {}, {}
    for fact in facts:
        for change in fact.trunk:
            if fact.kind is not Kind.OUT_OF_BAND:
                version = fact.head.trunk_version if change.version is None else change.version
                trunk.append((fact.room_nid, change.key_nid, version, change.event_nid, fact.number))
                current[fact.room_nid, change.key_nid] = change
            if change.type == "m.room.member":
                members[fact.room_nid, change.key_nid] = (change, fact.number)
    if not trunk and not members:
        return
    state_sql.add_trunk(transaction, trunk)
    state_sql.set_current(
        transaction,
        [
            (*key, change.event_nid, int(change.type == "m.room.member"))
            for key, change in current.items()
            if change.event_nid is not None
        ],
        [key for key, change in current.items() if change.event_nid is None],
    )
    state_sql.set_members(
        transaction,
        [
            (
                *key,
                m.user_id,
                m.membership,
                change.event_nid,
                number,
                m.sender,
                m.display_name,
                m.avatar_url,
                int(m.is_local),
                0,
            )
            for key, (change, number) in members.items()
            if (m := change.member) is not None and change.event_nid is not None
        ],
        [(*key, number) for key, (change, number) in members.items() if change.event_nid is None],
    )


def _store_branches(transaction: Transaction, facts: Sequence[EventFact]) -> None:
    touched = [(fact.room_nid, rows) for fact in facts for rows in fact.branch_rows]
    state_sql.add_branches(
        transaction,
        [(b.branch, room_nid, b.base_version) for room_nid, b in touched if b.base_version is not None],
        [(b.branch, *row) for _, b in touched for row in b.rows],
    )


def _store_heads(transaction: Transaction, facts: Sequence[EventFact]) -> None:
    newest = {fact.room_nid: fact for fact in facts if fact.kind not in _WITHOUT_HEAD}
    rows = [
        (
            fact.room_nid,
            fact.number,
            fact.head.depth,
            fact.head.trunk_version,
            fact.received_ms,
            fact.head.notified,
            fact.head.highlighted,
            fact.head.joined_members,
            fact.head.invited_members,
            msgspec.json.encode(fact.head.extremities).decode(),
        )
        for fact in newest.values()
    ]
    rooms_sql.set_heads(transaction, rows)


def load(transaction: Transaction, after: int, upto: int) -> Sequence[EventFact]:
    """Events of a shard's log for a reader with a gap. Trunk changes come with the event of the same number."""
    rows = events_sql.of_log(transaction, after, upto)
    changes = state_sql.trunk_of_log(transaction, after, upto)
    redactions = rooms_sql.redactions_of_log(transaction, after, upto)
    facts = []
    for row in rows:
        (event_id, event_nid, room_nid, number, _, kind, received_ms, branch, version, thread, notified) = row[:11]
        highlighted, text, extras, room_id, version_name = row[11:16]
        event = Event.recalled(event_id, text, room_version(version_name))
        trunk = tuple(changes.get(number, ()))
        if kind == Kind.OUT_OF_BAND:
            trunk = (member_change(event, event_nid, is_local=True),)
        facts.append(
            EventFact(
                number=number,
                room_id=room_id,
                room_nid=room_nid,
                event=event,
                event_nid=event_nid,
                key_nid=None,
                kind=Kind(kind),
                received_ms=received_ms,
                extras=orjson.loads(extras) if extras else None,
                before=StateRef(branch, version),
                head=NO_HEAD,
                trunk=trunk,
                redacts=redactions.get(event_nid),
                thread=thread,
                notified=notified,
                highlighted=highlighted,
                members=tuple(change.state_key for change in trunk if change.type == "m.room.member"),
            )
        )
    return facts
