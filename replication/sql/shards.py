"""The SQL of leases, the fence and positions."""

from collections.abc import Iterable, Sequence

from replication.ports import Transaction

Log = tuple[int, int, int]

_CREATE = """
    INSERT INTO shards (family, shard, owner, epoch, forward, backward, lease_until_ms, backend_pid, is_log)
    VALUES :rows ON CONFLICT (family, shard) DO NOTHING
"""

_BACKENDS = """
    SELECT DISTINCT backend_pid FROM shards
    WHERE family = :family AND shard IN :shards AND backend_pid <> 0 AND owner <> :owner
        AND (lease_until_ms < {now_ms} OR owner IN :dead)
"""

_END_BACKENDS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid IN :pids AND datname = current_database() AND usename = current_user
        AND application_name = current_setting('application_name')
"""

_TAKE = """
    UPDATE shards SET owner = :owner, epoch = epoch + 1, lease_until_ms = {now_ms} + :lease_ms, backend_pid = 0
    WHERE family = :family AND shard IN :shards
        AND (owner = :owner OR owner = '' OR lease_until_ms < {now_ms} OR owner IN :dead OR :force = 1)
"""

_OWNED = """
    SELECT shard, epoch, forward, backward FROM shards
    WHERE family = :family AND owner = :owner AND shard IN :shards ORDER BY shard
"""

_FENCE = """
    WITH moved (family, shard, epoch, forward, backward, next_forward, next_backward, lease_ms) AS (VALUES :rows)
    UPDATE shards SET forward = moved.next_forward, backward = moved.next_backward,
        lease_until_ms = {now_ms} + moved.lease_ms, backend_pid = {backend_pid}
    FROM moved
    WHERE shards.family = moved.family AND shards.shard = moved.shard AND shards.epoch = moved.epoch
        AND shards.forward = moved.forward AND shards.backward = moved.backward
"""

_RENEW = """
    UPDATE shards SET lease_until_ms = {now_ms} + :lease_ms WHERE family = :family AND owner = :owner
"""

_RELEASE = """
    UPDATE shards SET owner = '', lease_until_ms = 0, backend_pid = 0
    WHERE family = :family AND owner = :owner AND shard IN :shards
"""

_OWNERS = """
    SELECT family, shard, CASE WHEN lease_until_ms < {now_ms} THEN '' ELSE owner END, epoch, forward FROM shards
    ORDER BY family, shard
"""

_POSITIONS = "SELECT shard, forward FROM shards WHERE family = :family ORDER BY shard"

_ALL_POSITIONS = "SELECT family, shard, forward FROM shards WHERE is_log = 1 ORDER BY family, shard"

_WAIT_FOR_OTHERS = """
    UPDATE shards SET lease_until_ms = lease_until_ms WHERE family = :family AND shard IN :shards
"""

_LOGS = """
    SELECT shard, epoch, forward, backward FROM shards WHERE family = :family AND shard IN :shards
"""

_INCARNATION = "SELECT incarnation FROM incarnation WHERE one = 1"

_NEW_INCARNATION = "INSERT INTO incarnation (one, incarnation) VALUES (1, :incarnation) ON CONFLICT (one) DO NOTHING"

_RAISE_INCARNATION = "UPDATE incarnation SET incarnation = :fresh WHERE one = 1 AND incarnation = :known"


def create_shards(transaction: Transaction, family: str, shards: int, *, is_log: bool = True) -> None:
    """Make the rows of a family, once in a database's life."""
    transaction.rows(_CREATE, [(family, shard, "", 0, 0, 0, 0, 0, int(is_log)) for shard in range(shards)])


def take_shards(
    transaction: Transaction,
    family: str,
    shards: Sequence[int],
    owner: str,
    lease_ms: int,
    *,
    dead: Sequence[str] = (),
    is_forced: bool = False,
) -> list[tuple[int, int, int, int]]:
    """Take what is free, lapsed, of our own name, or of the `dead`; gives (shard, epoch, forward, backward) of ours.

    What an owner that is gone still had under way is ended first: its backend would hold the row.
    """
    chosen = list(shards)
    if transaction.engine_name == "postgresql":
        rows = transaction.all(_BACKENDS, family=family, shards=chosen, owner=owner, dead=list(dead))
        if rows:
            transaction.all(_END_BACKENDS, pids=[pid for (pid,) in rows])
    transaction.run(
        _TAKE, family=family, shards=chosen, owner=owner, lease_ms=lease_ms, dead=list(dead), force=int(is_forced)
    )
    return [
        (shard, epoch, forward, backward)
        for shard, epoch, forward, backward in transaction.all(_OWNED, family=family, owner=owner, shards=chosen)
    ]


def fence(transaction: Transaction, rows: Sequence[tuple[str, int, int, int, int, int, int, int]]) -> int:
    """Move counters from the values we know to the next ones; how many shards let us."""
    return transaction.rows(_FENCE, rows)


def renew_leases(transaction: Transaction, family: str, owner: str, lease_ms: int) -> int:
    """Keep the leases of an idle owner; how many it still has."""
    return transaction.run(_RENEW, family=family, owner=owner, lease_ms=lease_ms)


def release_shards(transaction: Transaction, family: str, owner: str, shards: Sequence[int]) -> None:
    """Give leases of a family back."""
    transaction.run(_RELEASE, family=family, owner=owner, shards=list(shards))


def owners(transaction: Transaction) -> list[tuple[str, int, str, int, int]]:
    """(family, shard, owner, epoch, forward) of every shard; the owner is empty where nobody has a lease."""
    return [(family, shard, owner, epoch, forward) for family, shard, owner, epoch, forward in transaction.all(_OWNERS)]


def positions(transaction: Transaction, family: str) -> list[int]:
    """The committed forward counter of each shard, as of this transaction's snapshot."""
    return [forward for _, forward in transaction.all(_POSITIONS, family=family)]


def all_positions(transaction: Transaction) -> dict[str, list[int]]:
    """The committed forward counters of every family that has logs, by family name, in one query."""
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


def raise_incarnation(transaction: Transaction, known: int, fresh: int) -> int:
    """Replace the incarnation `known` by `fresh`, unless somebody else has replaced it; the one that is in force."""
    transaction.run(_RAISE_INCARNATION, known=known, fresh=fresh)
    row = transaction.one(_INCARNATION)
    return int(row[0]) if row else fresh
