"""The stream of one-time keys. Storing a batch of its facts is what gives keys out: once each, in the fenced
transaction of the log of their owner, so that neither two requests nor two processes get the same.
"""

from collections.abc import Sequence

from replication.ports import Transaction
from replication.streams import SHORT_BYTES, Storage, Stream
from synapse_like.features.one_time_keys import sql
from synapse_like.features.one_time_keys.facts import Key, OneTimeKeysFact, Stock
from synapse_like.features.one_time_keys.sql import Device, Wanted
from synapse_like.rooms.families import USER

ONE_TIME_KEYS: Stream[OneTimeKeysFact] = Stream("one_time_keys", USER, OneTimeKeysFact, key="user_id")


def _store(transaction: Transaction, facts: Sequence[OneTimeKeysFact]) -> None:
    """Give out what was asked for, then note what each device has left, where that is not what it had."""
    asked: dict[Wanted, list[OneTimeKeysFact]] = {}
    for fact in facts:
        fact.taken = None
        if fact.wanted:
            asked.setdefault((fact.user_id, fact.device_id, fact.wanted), []).append(fact)
    before = sql.stocks(transaction, list(dict.fromkeys(wanted[:2] for wanted in asked)))
    stocks = dict(before)
    _give(transaction, {wanted: several for wanted, several in asked.items() if wanted[:2] in stocks}, stocks)
    uploaders = list(dict.fromkeys((fact.user_id, fact.device_id) for fact in facts if not fact.wanted))
    stocks |= sql.counted(transaction, uploaders)
    newest = {(fact.user_id, fact.device_id): fact for fact in facts}
    changed = {
        device: Stock(newest[device].number, stock.counts, stock.unused)
        for device, stock in stocks.items()
        if stock is not before.get(device)
    }
    sql.set_stocks(transaction, changed.items())
    for fact in facts:
        found = stocks.get((fact.user_id, fact.device_id))
        if found is not None:
            fact.counts, fact.unused = found.counts, found.unused


def _give(transaction: Transaction, asked: dict[Wanted, list[OneTimeKeysFact]], stocks: dict[Device, Stock]) -> None:
    """Hand out one-time keys, then fallback keys; `stocks` shrink with it."""
    amounts = {wanted: len(several) for wanted, several in asked.items()}
    for user_id, device_id, algorithm, key_id, text in sql.take(transaction, amounts):
        asked[user_id, device_id, algorithm].pop().taken = Key(algorithm, key_id, text)
        stock = stocks[user_id, device_id]
        left = {**stock.counts, algorithm: stock.counts.get(algorithm, 0) - 1}
        stocks[user_id, device_id] = Stock(0, {name: count for name, count in left.items() if count > 0}, stock.unused)
    for user_id, device_id, algorithm, key_id, text in sql.use_fallbacks(transaction, [w for w in asked if asked[w]]):
        for fact in asked[user_id, device_id, algorithm]:
            fact.taken = Key(algorithm, key_id, text)
        stock = stocks[user_id, device_id]
        if algorithm in stock.unused:
            unused = tuple(name for name in stock.unused if name != algorithm)
            stocks[user_id, device_id] = Stock(0, stock.counts, unused)


def _load(transaction: Transaction, after: int, upto: int) -> list[OneTimeKeysFact]:
    return [
        OneTimeKeysFact(
            number=stock.number, user_id=user_id, device_id=device_id, counts=stock.counts, unused=stock.unused
        )
        for (user_id, device_id), stock in sql.between(transaction, after, upto)
    ]


def _weight(fact: OneTimeKeysFact) -> int:
    return SHORT_BYTES + (len(fact.taken.json) if fact.taken else 0)


STORAGE = Storage(ONE_TIME_KEYS, _store, _load, weigh=_weight)
