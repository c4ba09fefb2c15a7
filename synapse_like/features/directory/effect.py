"""Keeps the summaries of rooms: written with the events, in their transaction."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from synapse_like.features.directory import sql
from synapse_like.rooms.facts import EventFact, TrunkChange
from synapse_like.toolkit.db import Transaction

_FIELDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "m.room.create": (("type", "room_type"),),
    "m.room.name": (("name", "name"),),
    "m.room.topic": (("topic", "topic"),),
    "m.room.canonical_alias": (("alias", "canonical_alias"),),
    "m.room.avatar": (("url", "avatar_url"),),
    "m.room.join_rules": (("join_rule", "join_rule"),),
    "m.room.history_visibility": (("history_visibility", "history_visibility"),),
    "m.room.guest_access": (("guest_access", "guest_access"),),
    "m.room.encryption": (("algorithm", "encryption"),),
}
_LOST_BY_REDACTION = {"m.room.name", "m.room.topic", "m.room.canonical_alias", "m.room.avatar", "m.room.guest_access"}
_SEARCHED = ("name", "topic")


def keep_summaries(transaction: Transaction, facts: Sequence[EventFact]) -> None:
    """Bring the summaries up to date: at most three statements, none for a batch of messages."""
    changes = [(fact, change) for fact in facts for change in _relevant(fact)]
    texts = _texts_of_others(transaction, changes)
    news: dict[int, dict[str, str]] = {}
    for fact, change in changes:
        content = _content(fact, change, texts)
        news.setdefault(fact.room_nid, {}).update(_columns(change.type, content))
    redacted = [fact.redacts for fact in facts if fact.redacts is not None]
    for room_nid, kind in sql.redacted_state(transaction, redacted) if redacted else ():
        if kind in _LOST_BY_REDACTION:
            news.setdefault(room_nid, {}).update(_columns(kind, {}))
    if news:
        sql.set_summaries(transaction, news)


def _relevant(fact: EventFact) -> Iterator[TrunkChange]:
    return (change for change in fact.trunk if change.state_key == "" and change.type in _FIELDS)


def _texts_of_others(transaction: Transaction, changes: Sequence[tuple[EventFact, TrunkChange]]) -> Mapping[int, str]:
    """The JSON of state that a resolution brought back: it is not in the batch."""
    nids = [c.event_nid for fact, c in changes if c.event_nid is not None and c.event_id != fact.event.event_id]
    return sql.contents(transaction, nids) if nids else {}


def _content(fact: EventFact, change: TrunkChange, texts: Mapping[int, str]) -> Mapping[str, Any]:
    if change.event_id == fact.event.event_id:
        return fact.event.content
    text = texts.get(change.event_nid) if change.event_nid is not None else None
    content = orjson.loads(text)["content"] if text is not None else {}
    return content if isinstance(content, dict) else {}


def _columns(kind: str, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a state event says, by column; the empty text where it says nothing (or something that is not text)."""
    for key, column in _FIELDS[kind]:
        value = content.get(key)
        text = value.replace("\0", "") if isinstance(value, str) else ""
        yield column, text
        if column in _SEARCHED:
            yield f"{column}_folded", text.casefold()
