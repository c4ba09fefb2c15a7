"""SQL: the JSON of events, for those who read little of it."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_TEXTS = "SELECT event_id, json FROM events WHERE event_id IN :event_ids"


def texts(transaction: Transaction, event_ids: Sequence[str]) -> list[Row]:
    """(event id, JSON) of those of the events that are stored."""
    return transaction.all(_TEXTS, event_ids=event_ids)
