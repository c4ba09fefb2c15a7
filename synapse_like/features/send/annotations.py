"""Annotations (reactions): reading them out of content, and remembering them with their events.

Source: Client-Server API, "Event annotations and reactions".
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from synapse_like.features.send import sql
from synapse_like.rooms.facts import EventFact, Kind
from synapse_like.toolkit.db import Transaction

MAX_KEY_BYTES = 500
MAX_TARGET_BYTES = 255


class Annotation(NamedTuple):
    """A key that is put on an event."""

    target_id: str
    key: str

    @property
    def fits(self) -> bool:
        """Whether it is remembered; remote servers may send anything."""
        return (
            len(self.key.encode(errors="replace")) <= MAX_KEY_BYTES
            and len(self.target_id.encode(errors="replace")) <= MAX_TARGET_BYTES
            and "\0" not in self.key + self.target_id
        )


def annotation_in(content: Mapping[str, Any]) -> Annotation | None:
    """The annotation that an event with this content makes, if it makes one."""
    relation = content.get("m.relates_to")
    if not isinstance(relation, dict) or relation.get("rel_type") != "m.annotation":
        return None
    target_id, key = relation.get("event_id"), relation.get("key")
    return Annotation(target_id, key) if isinstance(target_id, str) and isinstance(key, str) else None


def keep_annotations(transaction: Transaction, facts: Sequence[EventFact]) -> None:
    """Remember the annotations of a batch of events."""
    rows = []
    for fact in facts:
        event = fact.event
        found = annotation_in(event.content) if fact.kind is not Kind.REJECTED and not event.is_state else None
        if found is not None and found.fits:
            rows.append((fact.room_nid, found.target_id, str(event.sender), event.type, found.key, event.event_id))
    sql.add_annotations(transaction, rows)
