"""The SQL of leases, the fence and positions."""

from collections.abc import Iterable, Sequence

from replication.ports import Transaction

Log = tuple[int, int, int]

_CREATE = """
    INSERT INTO shards (family, shard, owner, epoch, forward, backward, lease_until_ms, backend_pid)
    VALUES :rows ON CONFLICT (family, shard) DO NOTHING
"""

_TAKE = """
    UPDATE shards SET owner = :owner, epoch = epoch + 1, lease_until_ms = {now_ms} + :lease_ms
    WHERE family = :family AND shard IN :shards
        AND (owner = :owner OR owner = '' OR lease_until_ms < {now_ms} OR :force = 1)
"""

_OWNED = """
    SELECT shard, epoch, forward, backward FROM shards WHERE family = :family AND owner = :owner ORDER BY shard
"""

_FENCE = """
    WITH moved (family, shard, epoch, forward, backward, next_forward, next_backward, lease_ms) AS (VALUES :rows)
    UPDATE shards SET forward = moved.next_forward, backward = moved.next_backward,
        lease_until_ms = {now_ms} + moved.lease_ms
    FROM moved
    WHERE shards.family = moved.family AND shards.shard = moved.shard AND shards.epoch = moved.epoch
        AND shards.forward = moved.forward AND shards.backward = moved.backward
"""

_RENEW = """
    UPDATE shards SET lease_until_ms = {now_ms} + :lease_ms WHERE family = :family AND owner = :owner
"""

_RELEASE = """
    UPDATE shards SET owner = '', lease_until_ms = 0 WHERE family = :family AND owner = :owner
"""

_POSITIONS = "SELECT shard, forward FROM shards WHERE family = :family ORDER BY shard"

_ALL_POSITIONS = "SELECT family, shard, forward FROM shards ORDER BY family, shard"

_WAIT_FOR_OTHERS = """
    UPDATE shards SET lease_until_ms = lease_until_ms WHERE family = :family AND shard IN :shards
"""

_LOGS = """
    SELECT shard, epoch, forward, backward FROM shards WHERE family = :family AND shard IN :shards
"""

_INCARNATION = "SELECT incarnation FROM incarnation WHERE one = 1"

_NEW_INCARNATION = "INSERT INTO incarnation (one, incarnation) VALUES (1, :incarnation) ON CONFLICT (one) DO NOTHING"


def create_shards(transaction: Transaction, family: str, shards: int) -> None:
    """Make the rows of a family, once in a database's life."""
    transaction.rows(_CREATE, [(family, shard, "", 0, 0, 0, 0, 0) for shard in range(shards)])


def take_shards(
    transaction: Transaction, family: str, shards: Sequence[int], owner: str, lease_ms: int, *, is_forced: bool
) -> list[tuple[int, int, int, int]]:
    """Take what is free, lapsed, or of our own name; gives (shard, epoch, forward, backward) of all we now own."""
    transaction.run(_TAKE, family=family, shards=list(shards), owner=owner, lease_ms=lease_ms, force=int(is_forced))
    return [
        (shard, epoch, forward, backward)
        for shard, epoch, forward, backward in transaction.all(_OWNED, family=family, owner=owner)
    ]


def fence(transaction: Transaction, rows: Sequence[tuple[str, int, int, int, int, int, int, int]]) -> int:
    """Move counters from the values we know to the next ones; how many shards let us."""
    return transaction.rows(_FENCE, rows)


def renew_leases(transaction: Transaction, family: str, owner: str, lease_ms: int) -> int:
    """Keep the leases of an idle owner; how many it still has."""
    return transaction.run(_RENEW, family=family, owner=owner, lease_ms=lease_ms)


def release_shards(transaction: Transaction, family: str, owner: str) -> None:
    """Give all leases of a family back."""
    transaction.run(_RELEASE, family=family, owner=owner)


def positions(transaction: Transaction, family: str) -> list[int]:
    """The committed forward counter of each shard, as of this transaction's snapshot."""
    return [forward for _, forward in transaction.all(_POSITIONS, family=family)]


def all_positions(transaction: Transaction) -> dict[str, list[int]]:
    """The committed forward counters of every family, by family name, in one query."""
    found: dict[str, list[int]] = {}
    for family, _, forward in transaction.all(_ALL_POSITIONS):
        found.setdefault(family, []).append(forward)
    return found


def logs(transaction: Transaction, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Log]:
    """(epoch, forward, backward) by (family, shard), once every commit that was under way there is over."""
    by_family: dict[str, list[int]] = {}
    for family, shard in keys:
        by_family.setdefault(family, []).append(shard)
    found: dict[tuple[str, int], Log] = {}
    for family, shards in sorted(by_family.items()):
        transaction.run(_WAIT_FOR_OTHERS, family=family, shards=shards)
        for shard, epoch, forward, backward in transaction.all(_LOGS, family=family, shards=shards):
            found[family, shard] = (epoch, forward, backward)
    return found


def incarnation(transaction: Transaction, fresh: int) -> int:
    """The database's incarnation; `fresh` becomes it if there is none yet."""
    transaction.run(_NEW_INCARNATION, incarnation=fresh)
    row = transaction.one(_INCARNATION)
    return int(row[0]) if row else fresh
