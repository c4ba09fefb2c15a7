"""The SQL of one-time keys, fallback keys and their counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import orjson

from replication.ports import Row, Transaction
from synapse_like.features.one_time_keys.facts import MAX_UPLOADED, Key, Stock

_PLACE_BITS = (MAX_UPLOADED - 1).bit_length()
"""The keys of one upload have places that differ in so many bits; a number in front of them fits into 64 bits."""

Device = tuple[str, str]
Wanted = tuple[str, str, str]
"""(user, device, algorithm)"""

_EXISTING = """
    SELECT algorithm, key_id, json FROM one_time_keys
    WHERE user_id = :user_id AND device_id = :device_id AND key_id IN :key_ids
"""
_ADD = """
    INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, place, json) VALUES :rows
"""
_SET_FALLBACKS = """
    INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, json, is_used) VALUES :rows
    ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET is_used = CASE
            WHEN fallback_keys.key_id = excluded.key_id THEN fallback_keys.is_used ELSE 0 END,
        key_id = excluded.key_id, json = excluded.json
"""
_TAKE_ON_POSTGRESQL = """
    WITH wanted (user_id, device_id, algorithm, amount) AS (VALUES :rows)
    DELETE FROM one_time_keys WHERE ctid = ANY (ARRAY (
        SELECT first.ctid FROM wanted w CROSS JOIN LATERAL (
            SELECT n.ctid FROM one_time_keys n
            WHERE n.user_id = w.user_id AND n.device_id = w.device_id AND n.algorithm = w.algorithm
            ORDER BY n.place LIMIT w.amount) first))
    RETURNING user_id, device_id, algorithm, key_id, json
"""
_TAKE_ONE_ON_SQLITE = """
    WITH wanted (user_id, device_id, algorithm) AS (VALUES :rows)
    DELETE FROM one_time_keys WHERE (user_id, device_id, algorithm, place) IN (
        SELECT w.user_id, w.device_id, w.algorithm, (SELECT min(n.place) FROM one_time_keys n
            WHERE n.user_id = w.user_id AND n.device_id = w.device_id AND n.algorithm = w.algorithm)
        FROM wanted w)
    RETURNING user_id, device_id, algorithm, key_id, json
"""
_FALLBACKS = """
    WITH wanted (user_id, device_id, algorithm) AS (VALUES :rows)
    SELECT f.user_id, f.device_id, f.algorithm, f.key_id, f.json FROM wanted JOIN fallback_keys f
        ON f.user_id = wanted.user_id AND f.device_id = wanted.device_id AND f.algorithm = wanted.algorithm
"""
_USE = """
    WITH used (user_id, device_id, algorithm) AS (VALUES :rows)
    UPDATE fallback_keys SET is_used = 1 FROM used WHERE fallback_keys.user_id = used.user_id
        AND fallback_keys.device_id = used.device_id AND fallback_keys.algorithm = used.algorithm
        AND fallback_keys.is_used = 0
"""
_COUNTED = """
    WITH asked (user_id, device_id) AS (VALUES :rows)
    SELECT k.user_id, k.device_id, k.algorithm, count(*) FROM asked JOIN one_time_keys k
        ON k.user_id = asked.user_id AND k.device_id = asked.device_id
    GROUP BY k.user_id, k.device_id, k.algorithm
    UNION ALL
    SELECT f.user_id, f.device_id, f.algorithm, 0 FROM asked JOIN fallback_keys f
        ON f.user_id = asked.user_id AND f.device_id = asked.device_id AND f.is_used = 0
"""
_STOCKS = """
    WITH asked (user_id, device_id) AS (VALUES :rows)
    SELECT c.user_id, c.device_id, c.number, c.counts, c.unused FROM asked JOIN one_time_key_counts c
        ON c.user_id = asked.user_id AND c.device_id = asked.device_id
"""
_SET_STOCKS = """
    INSERT INTO one_time_key_counts (user_id, device_id, number, counts, unused) VALUES :rows
    ON CONFLICT (user_id, device_id) DO UPDATE
    SET number = excluded.number, counts = excluded.counts, unused = excluded.unused
"""
_BETWEEN = """
    SELECT user_id, device_id, number, counts, unused FROM one_time_key_counts
    WHERE number > :after AND number <= :upto ORDER BY number
"""
_FORGET = [
    "DELETE FROM one_time_keys WHERE user_id = :user_id AND device_id IN :device_ids",
    "DELETE FROM fallback_keys WHERE user_id = :user_id AND device_id IN :device_ids",
    "DELETE FROM one_time_key_counts WHERE user_id = :user_id AND device_id IN :device_ids",
]


def existing(transaction: Transaction, user_id: str, device_id: str, key_ids: Sequence[str]) -> list[Key]:
    """Those of a device's keys that have one of these ids."""
    if not key_ids:
        return []
    rows = transaction.all(_EXISTING, user_id=user_id, device_id=device_id, key_ids=key_ids)
    return [Key(*row) for row in rows]


def add(transaction: Transaction, user_id: str, device_id: str, keys: Iterable[Key], number: int) -> None:
    """Store new one-time keys, behind those that were stored with smaller numbers."""
    first = number << _PLACE_BITS
    rows = [(user_id, device_id, key.algorithm, key.key_id, first + at, key.json) for at, key in enumerate(keys)]
    transaction.put(_ADD, rows)


def set_fallbacks(transaction: Transaction, user_id: str, device_id: str, keys: Iterable[Key]) -> None:
    """Replace fallback keys; one that is uploaded again stays as used as it was."""
    transaction.put(_SET_FALLBACKS, [(user_id, device_id, key.algorithm, key.key_id, key.json, 0) for key in keys])


def take(transaction: Transaction, wanted: Mapping[Wanted, int]) -> list[Row]:
    """Take so many keys of each out, the oldest: (user, device, algorithm, key id, JSON).

    SQLite cannot limit by a column: there it is a statement for the first of each, another for the second, and so on.
    """
    if transaction.engine_name == "postgresql":
        return transaction.query_rows(_TAKE_ON_POSTGRESQL, [(*each, amount) for each, amount in wanted.items()])
    found: list[Row] = []
    left = list(wanted)
    while left:
        rows = transaction.query_rows(_TAKE_ONE_ON_SQLITE, left)
        found += rows
        taken = Counter(row[:3] for row in found)
        left = [each for each in {row[:3] for row in rows} if taken[each] < wanted[each]]
    return found


def use_fallbacks(transaction: Transaction, wanted: Sequence[Wanted]) -> list[Row]:
    """(user, device, algorithm, key id, JSON) of fallback keys, which count as used from now on."""
    rows = transaction.query_rows(_FALLBACKS, wanted)
    transaction.put(_USE, [row[:3] for row in rows])
    return rows


def counted(transaction: Transaction, devices: Sequence[Device]) -> dict[Device, Stock]:
    """What devices have, counted."""
    counts: dict[Device, dict[str, int]] = {device: {} for device in devices}
    unused: dict[Device, list[str]] = {device: [] for device in devices}
    for user_id, device_id, algorithm, count in sorted(transaction.query_rows(_COUNTED, devices)):
        if count:
            counts[user_id, device_id][algorithm] = count
        else:
            unused[user_id, device_id].append(algorithm)
    return {device: Stock(0, counts[device], tuple(unused[device])) for device in devices}


def stocks(transaction: Transaction, devices: Sequence[Device]) -> dict[Device, Stock]:
    """What devices have, as it was noted; those that never had keys are left out."""
    return {row[:2]: _stock(row) for row in transaction.query_rows(_STOCKS, devices)}


def set_stocks(transaction: Transaction, stocks: Iterable[tuple[Device, Stock]]) -> None:
    """Note what devices have."""
    rows = [
        (*device, stock.number, orjson.dumps(stock.counts).decode(), orjson.dumps(stock.unused).decode())
        for device, stock in stocks
    ]
    transaction.put(_SET_STOCKS, rows)


def between(transaction: Transaction, after: int, upto: int) -> list[tuple[Device, Stock]]:
    """What has changed last in a part of a log."""
    return [(row[:2], _stock(row)) for row in transaction.all(_BETWEEN, after=after, upto=upto)]


def forget(transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
    """Delete all keys of devices."""
    for statement in _FORGET:
        transaction.run(statement, user_id=user_id, device_ids=list(device_ids))


def _stock(row: Row) -> Stock:
    return Stock(number=row[2], counts=orjson.loads(row[3]), unused=tuple(orjson.loads(row[4])))
