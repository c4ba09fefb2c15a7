"""SQL of sending: annotations, so that nobody reacts twice in the same way."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction

AnnotationRow = tuple[int, str, str, str, str, str]
"""(room number, target, sender, type, key, event id)"""

_ADD = """
    INSERT INTO annotations (room_nid, target_id, sender, type, annotation_key, event_id) VALUES :rows
    ON CONFLICT (room_nid, target_id, sender, type, annotation_key, event_id) DO NOTHING
"""
_FIND = """
    SELECT a.event_id FROM annotations a
    WHERE a.room_nid = :room_nid AND a.target_id = :target_id AND a.sender = :sender AND a.type = :type
        AND a.annotation_key = :key
        AND NOT EXISTS (SELECT 1 FROM redactions x WHERE x.room_nid = a.room_nid AND x.redacted_id = a.event_id)
"""


def add_annotations(transaction: Transaction, rows: Sequence[AnnotationRow]) -> None:
    """Remember annotations."""
    transaction.rows(_ADD, rows)


def has_annotated(
    transaction: Transaction, room_nid: int, target_id: str, sender: str, event_type: str, key: str
) -> bool:
    """Whether a user has put a key on an event, and has not redacted that."""
    row = transaction.one(_FIND, room_nid=room_nid, target_id=target_id, sender=sender, type=event_type, key=key)
    return row is not None
