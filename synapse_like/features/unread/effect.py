"""What is written for a batch of events: marks of who joined or wrote, deviations, threads, corrections."""

from collections.abc import Sequence

from synapse_like.features.unread.counting import ALL_THREADS, MAIN
from synapse_like.features.unread.sql import writing as sql
from synapse_like.features.unread.threads import marks_read
from synapse_like.rooms.facts import EventFact, Kind
from synapse_like.rooms.ports import PersistEffect
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row


def counting_effect(server_name: str) -> PersistEffect:
    """The effect, for a server of this name."""
    suffix = f":{server_name}"

    def count(transaction: Transaction, facts: Sequence[EventFact], /) -> None:
        live = [fact for fact in facts if fact.kind is Kind.LIVE]
        marks = {row[:3]: row for fact in live for row in (*_joins(fact), *_own(fact, suffix))}
        sql.set_marks(transaction, list(marks.values()))
        sql.add_deviations(transaction, [row for fact in live for row in _deviations(fact)])
        threads = {(fact.room_nid, fact.thread): fact for fact in live if fact.thread is not None}
        sql.set_threads(
            transaction, [(*key, fact.number, fact.notified, fact.highlighted) for key, fact in threads.items()]
        )
        redacted = [fact.redacts for fact in live if fact.redacts is not None]
        if redacted:
            _correct(transaction, redacted)

    return count


def _joins(fact: EventFact) -> list[Row]:
    """Who joins has read everything that was before."""
    counters = fact.head.notified, fact.head.highlighted
    return [
        (change.state_key, fact.room_nid, ALL_THREADS, fact.number, *counters, fact.number)
        for change in fact.trunk
        if (member := change.member) is not None
        and member.is_local
        and member.membership == "join"
        and member.before != "join"
    ]


def _own(fact: EventFact, suffix: str) -> list[Row]:
    """Who writes has read up to what is written, in that thread."""
    event = fact.event
    if not event.sender.endswith(suffix) or not marks_read(event):
        return []
    counters = fact.notified, fact.highlighted
    return [(event.sender, fact.room_nid, fact.thread or MAIN, fact.number, *counters, fact.number)]


def _deviations(fact: EventFact) -> list[Row]:
    return [
        (deviation.user_id, fact.room_nid, fact.number, fact.thread or MAIN, deviation.notify, deviation.highlight)
        for deviation in fact.deviations
    ]


def _correct(transaction: Transaction, event_ids: Sequence[str]) -> None:
    """Take back what redacted events counted: rare, and so a query each."""
    rows = []
    for room_nid, number, thread, notified, highlighted in sql.counted(transaction, event_ids):
        before = sql.counters_before(transaction, room_nid, thread, number)
        rows.append((room_nid, number, thread or MAIN, notified - before[0], highlighted - before[1]))
    sql.correct(transaction, rows)
