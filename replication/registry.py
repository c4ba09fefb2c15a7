"""The registry: which processes the server has, where they take calls, and that they live.

A process registers itself and beats; nobody writes names into a configuration. One that has been struck out, or could
not beat in time, is not to answer anything from memory any more, for those who wait until everybody has heard something
do not wait for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from replication.ports import Transaction
from replication.sql import registry as sql

_KEPT_MS = 24 * 60 * 60 * 1000


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process: `address` is host:port for calls from other processes, empty if it takes none."""

    name: str
    kind: str
    address: str
    version: str
    started_ms: int
    is_draining: bool = False


@dataclass(slots=True)
class Registry:
    """The registry as one process uses it; every method runs in a transaction of its caller's."""

    me: Worker
    lease_ms: int

    def register(self, transaction: Transaction) -> None:
        """Make this process known; it takes the place of an earlier one of the same name."""
        me = self.me
        sql.register(
            transaction,
            self.lease_ms,
            name=me.name,
            kind=me.kind,
            address=me.address,
            version=me.version,
            started_ms=me.started_ms,
        )
        sql.sweep(transaction, _KEPT_MS)

    def beat(self, transaction: Transaction, *, is_draining: bool) -> bool:
        """Say that this process lives; False if it is registered no more."""
        return sql.beat(transaction, self.me.name, self.me.started_ms, self.lease_ms, is_draining=is_draining)

    def leave(self, transaction: Transaction) -> None:
        """Take this process out."""
        sql.leave(transaction, self.me.name, self.me.started_ms)


def live_workers(transaction: Transaction) -> list[Worker]:
    """The processes that live, by name."""
    return [_worker(row) for row in sql.live(transaction)]


@dataclass(frozen=True, slots=True)
class Believer:
    """A process that believes to be one of the server, and if `is_struck` wrongly so, for at most `left_ms`."""

    worker: Worker
    is_struck: bool
    left_ms: int


def believers(transaction: Transaction) -> list[Believer]:
    """Everybody who may answer from memory."""
    return [Believer(_worker(row[:6]), bool(row[6]), int(row[7])) for row in sql.believing(transaction)]


def strike(transaction: Transaction, worker: Worker) -> int:
    """Strike out a process that cannot be reached; for how many ms it may still not know it."""
    return sql.strike(transaction, worker.name, worker.started_ms)


def _worker(row: Sequence[Any]) -> Worker:
    name, kind, address, version, started_ms, is_draining = row
    return Worker(
        name=name, kind=kind, address=address, version=version, started_ms=started_ms, is_draining=bool(is_draining)
    )
