"""The SQL of this library: of leases, the fence and positions (`shards`), and of the registry (`registry`)."""

from replication.sql.shards import (
    Log,
    all_positions,
    create_shards,
    fence,
    incarnation,
    logs,
    positions,
    raise_incarnation,
    release_shards,
    renew_leases,
    take_shards,
)

__all__ = [
    "Log",
    "all_positions",
    "create_shards",
    "fence",
    "incarnation",
    "logs",
    "positions",
    "raise_incarnation",
    "release_shards",
    "renew_leases",
    "take_shards",
]
