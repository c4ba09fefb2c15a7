"""Who should own which shard: everybody who knows the same live processes comes to the same answer.

Rendezvous hashing (Thaler and Ravishankar, 1998): a shard belongs to the process with the highest score for it, so a
process that comes or goes moves only its own share.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from replication.registry import Worker
from replication.streams import Family

Claims = Mapping[str, Sequence[str]]
"""By family: the kinds that own its shards, the best first. If none of them lives, any process will do."""


def wanted(families: Sequence[Family], workers: Sequence[Worker], claims: Claims) -> dict[tuple[str, int], str]:
    """The name of the process that should own each (family, shard); empty if there are no processes."""
    plan: dict[tuple[str, int], str] = {}
    for family in families:
        names = candidates(workers, claims.get(family.name, ()))
        if names:
            for shard in range(family.shards):
                plan[family.name, shard] = max(names, key=lambda name: _score(name, family.name, shard))
    return plan


def candidates(workers: Sequence[Worker], kinds: Sequence[str]) -> list[str]:
    """Those who share a family's shards: all of the best kind that has anybody who is not about to leave."""
    staying = [worker for worker in workers if not worker.is_draining]
    for kind in kinds:
        if names := [worker.name for worker in staying if worker.kind == kind]:
            return names
    return [worker.name for worker in staying or workers]


def _score(name: str, family: str, shard: int) -> bytes:
    return blake2b(f"{name}\0{family}\0{shard}".encode(), digest_size=8).digest()
