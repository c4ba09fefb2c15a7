"""The stream of messages to devices."""

from collections.abc import Sequence
from typing import Final

from replication.ports import Transaction
from replication.streams import SHORT_BYTES, Storage, Stream
from synapse_like.features.to_device import sql
from synapse_like.features.to_device.facts import AlreadyDelivered, ToDeviceFact
from synapse_like.rooms.families import USER

TO_DEVICE: Stream[ToDeviceFact] = Stream("to_device", USER, ToDeviceFact, key="user_id")

_RECENT_BYTES: Final = 32 * 1024 * 1024


def _store(transaction: Transaction, facts: Sequence[ToDeviceFact]) -> None:
    """Lay messages into inboxes; raises AlreadyDelivered if a request brings somebody the same again."""
    deliveries = {
        (sent.sender, sent.device_id, sent.transaction_id, fact.user_id): fact.sent_ms
        for fact in facts
        if (sent := fact.transaction) is not None
    }
    if sql.note_deliveries(transaction, [(*key, sent_ms) for key, sent_ms in deliveries.items()]) < len(deliveries):
        raise AlreadyDelivered()
    sql.add(transaction, [(fact.user_id, fact.device_id, fact.number, fact.json) for fact in facts])


def _load(transaction: Transaction, after: int, upto: int) -> list[ToDeviceFact]:
    return [
        ToDeviceFact(number=number, user_id=user_id, device_id=device_id, json=text)
        for user_id, device_id, number, text in sql.between(transaction, after, upto)
    ]


def _weight(fact: ToDeviceFact) -> int:
    return SHORT_BYTES + len(fact.json)


STORAGE = Storage(TO_DEVICE, _store, _load, weigh=_weight, recent_weight=_RECENT_BYTES)
