"""The SQL of messages to devices."""

from collections.abc import Collection, Sequence

from replication.ports import Row, Transaction

_ADD = """
    WITH sent (user_id, device_id, number, json) AS (VALUES :rows)
    INSERT INTO to_device_inbox (user_id, device_id, number, json)
    SELECT sent.user_id, d.device_id, sent.number, sent.json FROM sent JOIN devices d
        ON d.user_id = sent.user_id AND d.is_deleted = 0 AND (sent.device_id = '*' OR d.device_id = sent.device_id)
"""
_BETWEEN = """
    SELECT user_id, device_id, number, json FROM to_device_inbox
    WHERE number > :after AND number <= :upto ORDER BY number
"""
_WAITING = """
    SELECT number, json FROM to_device_inbox
    WHERE user_id = :user_id AND device_id = :device_id AND number > :after ORDER BY number LIMIT :limit
"""
_WAITING_AND_ARRIVED = """
    SELECT number, json FROM (
        SELECT number, '' AS json FROM to_device_inbox
        WHERE user_id = :user_id AND device_id = :device_id AND number <= :after ORDER BY number LIMIT 1
    ) arrived
    UNION ALL
    SELECT number, json FROM (
        SELECT number, json FROM to_device_inbox
        WHERE user_id = :user_id AND device_id = :device_id AND number > :after ORDER BY number LIMIT :limit
    ) waiting
    ORDER BY number
"""
_REMOVE = """
    WITH arrived (user_id, device_id, upto) AS (VALUES :rows)
    DELETE FROM to_device_inbox WHERE (user_id, device_id, number) IN (
        SELECT i.user_id, i.device_id, i.number FROM arrived JOIN to_device_inbox i
            ON i.user_id = arrived.user_id AND i.device_id = arrived.device_id AND i.number <= arrived.upto
    )
"""
_FORGET = "DELETE FROM to_device_inbox WHERE user_id = :user_id AND device_id IN :device_ids"
_REQUESTS = """
    WITH asked (sender, device_id, transaction_id) AS (VALUES :rows)
    SELECT r.sender, r.device_id, r.transaction_id, r.users FROM asked JOIN to_device_requests r
        ON r.sender = asked.sender AND r.device_id = asked.device_id AND r.transaction_id = asked.transaction_id
"""
_ADD_REQUESTS = """
    INSERT INTO to_device_requests (sender, device_id, transaction_id, number, users, delivered_ms) VALUES :rows
"""
_NEWEST_REQUESTS = """
    SELECT transaction_id, users FROM to_device_requests
    WHERE sender = :sender AND device_id = :device_id AND delivered_ms > :after_ms
    ORDER BY delivered_ms DESC LIMIT :limit
"""
_PURGE = "DELETE FROM to_device_requests WHERE delivered_ms < :before_ms"
_SIZES = """
    SELECT user_id, device_id, count(*) FROM to_device_inbox GROUP BY user_id, device_id
    HAVING count(*) > :at_least ORDER BY count(*) DESC LIMIT :limit
"""
_TRIM = """
    DELETE FROM to_device_inbox WHERE user_id = :user_id AND device_id = :device_id AND number <= (
        SELECT number FROM to_device_inbox WHERE user_id = :user_id AND device_id = :device_id
        ORDER BY number DESC LIMIT 1 OFFSET :keep
    )
"""


def add(transaction: Transaction, rows: Sequence[tuple[str, str, int, str]]) -> None:
    """Lay messages into the inboxes of those devices that exist: (user, device or '*', number, JSON)."""
    transaction.put(_ADD, rows)


def between(transaction: Transaction, after: int, upto: int) -> list[Row]:
    """(user, device, number, JSON) of what still waits of a part of a log."""
    return transaction.all(_BETWEEN, after=after, upto=upto)


def waiting(transaction: Transaction, user_id: str, device_id: str, after: int, limit: int) -> list[tuple[int, str]]:
    """(number, JSON) of what waits for a device after a number, in order."""
    rows = transaction.all(_WAITING, user_id=user_id, device_id=device_id, after=after, limit=limit)
    return [(int(number), str(text)) for number, text in rows]


def waiting_and_arrived(
    transaction: Transaction, user_id: str, device_id: str, after: int, limit: int
) -> tuple[list[tuple[int, str]], bool]:
    """The same, and whether something is left there of what arrived up to that number."""
    rows = transaction.all(_WAITING_AND_ARRIVED, user_id=user_id, device_id=device_id, after=after, limit=limit)
    return [(number, text) for number, text in rows if number > after], bool(rows) and rows[0][0] <= after


def remove(transaction: Transaction, arrived: Sequence[tuple[str, str, int]]) -> None:
    """Delete what has arrived: (user, device, number up to which)."""
    transaction.rows(_REMOVE, arrived)


def forget(transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
    """Delete the inboxes of devices."""
    transaction.run(_FORGET, user_id=user_id, device_ids=list(device_ids))


def requests(transaction: Transaction, keys: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str, list[str]]]:
    """(sender, device, transaction id, users) of what requests have brought so far."""
    rows = transaction.query_rows(_REQUESTS, keys)
    return [(sender, device_id, transaction_id, users.split("\n")) for sender, device_id, transaction_id, users in rows]


def add_requests(transaction: Transaction, rows: Sequence[tuple[str, str, str, int, Collection[str], int]]) -> None:
    """Note (sender, device, transaction id, number of a message, users, time)."""
    transaction.put(_ADD_REQUESTS, [(*key, "\n".join(users), sent_ms) for *key, users, sent_ms in rows])


def newest_requests(
    transaction: Transaction, sender: str, device_id: str, after_ms: int, limit: int
) -> list[tuple[str, list[str]]]:
    """(transaction id, users) of what a device's newest requests have brought."""
    rows = transaction.all(_NEWEST_REQUESTS, sender=sender, device_id=device_id, after_ms=after_ms, limit=limit)
    return [(transaction_id, users.split("\n")) for transaction_id, users in rows]


def purge(transaction: Transaction, before_ms: int) -> int:
    """Forget old requests; how many."""
    return transaction.run(_PURGE, before_ms=before_ms)


def sizes(transaction: Transaction, at_least: int, limit: int) -> list[tuple[str, str, int]]:
    """(user, device, messages) of the fullest inboxes that hold more than `at_least`."""
    return [(row[0], row[1], int(row[2])) for row in transaction.all(_SIZES, at_least=at_least, limit=limit)]


def trim(transaction: Transaction, user_id: str, device_id: str, keep: int) -> int:
    """Delete all but the newest messages of a device; how many."""
    return transaction.run(_TRIM, user_id=user_id, device_id=device_id, keep=keep)
