"""The stream of messages to devices."""

from collections.abc import Mapping, Sequence
from typing import Final

from replication.ports import Transaction
from replication.streams import SHORT_BYTES, Storage, Stream
from synapse_like.features.to_device import sql
from synapse_like.features.to_device.facts import AlreadyDelivered, ToDeviceFact
from synapse_like.features.to_device.facts import Transaction as Request
from synapse_like.rooms.families import USER

TO_DEVICE: Stream[ToDeviceFact] = Stream("to_device", USER, ToDeviceFact, key="user_id")

_RECENT_BYTES: Final = 32 * 1024 * 1024


def _store(transaction: Transaction, facts: Sequence[ToDeviceFact]) -> None:
    """Lay messages into inboxes; raises AlreadyDelivered if a request brings somebody the same again."""
    requests: dict[Request, list[ToDeviceFact]] = {}
    for fact in facts:
        if fact.transaction is not None:
            requests.setdefault(fact.transaction, []).append(fact)
    if requests:
        _note(transaction, requests)
    sql.add(transaction, [(fact.user_id, fact.device_id, fact.number, fact.json) for fact in facts])


def _note(transaction: Transaction, requests: Mapping[Request, Sequence[ToDeviceFact]]) -> None:
    """Remember whom requests bring something; of those whose shards are others' by now the fence keeps us."""
    keys = [(sent.sender, sent.device_id, sent.transaction_id) for sent in requests]
    had = {(*key, user_id) for *key, users in sql.requests(transaction, keys) for user_id in users}
    rows = []
    for key, brought in zip(keys, requests.values(), strict=True):
        users = {fact.user_id for fact in brought}
        is_repeated = len({(fact.user_id, fact.device_id) for fact in brought}) < len(brought)
        if is_repeated or any((*key, user_id) in had for user_id in users if had):
            raise AlreadyDelivered()
        rows.append((*key, brought[0].number, users, brought[0].sent_ms))
    sql.add_requests(transaction, rows)


def _load(transaction: Transaction, after: int, upto: int) -> list[ToDeviceFact]:
    return [
        ToDeviceFact(number=number, user_id=user_id, device_id=device_id, json=text)
        for user_id, device_id, number, text in sql.between(transaction, after, upto)
    ]


def _weight(fact: ToDeviceFact) -> int:
    return SHORT_BYTES + len(fact.json)


STORAGE = Storage(TO_DEVICE, _store, _load, weigh=_weight, recent_weight=_RECENT_BYTES)
