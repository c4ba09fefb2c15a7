"""Reading how other servers stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from replication.numbers import counter_of
from synapse_like.federation.outbound import Backoffs
from synapse_like.federation.outbound.sql import destinations as sql
from synapse_like.federation.outbound.sql import rooms as rooms_sql
from synapse_like.matrix.errors import InvalidParam, NotFound
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: from `start` on, at most `limit`."""

    start: int
    limit: int
    is_backward: bool = False

    def token(self, total: int) -> dict[str, str]:
        """Where the list goes on, if it does."""
        end = self.start + self.limit
        return {"next_token": str(end)} if end < total else {}


class Destinations:
    """Other servers that something was sent to."""

    def __init__(self, database: Database, rooms: Rooms, backoffs: Backoffs) -> None:
        self._database = database
        self._rooms = rooms
        self._backoffs = backoffs

    async def page(self, text: str, order: str, page: Page) -> dict[str, Any]:
        """Servers whose names contain a text."""

        def read(transaction: Transaction) -> tuple[list[Row], int]:
            return sql.page(transaction, text, order, (page.start, page.limit), is_backward=page.is_backward)

        rows, total = await self._database.read(read)
        return {"destinations": [_shown(row) for row in rows], "total": total, **page.token(total)}

    async def one(self, destination: str) -> dict[str, Any]:
        """One server. Raises NotFound if nothing was ever sent to it."""
        return _shown(await self._row(destination))

    async def rooms(self, destination: str, page: Page) -> dict[str, Any]:
        """The rooms that a server is in. Raises NotFound."""
        await self._row(destination)
        rows = await self._database.read(lambda txn: rooms_sql.shared_with(txn, destination))
        shown: Sequence[Row] = sorted(rows, reverse=page.is_backward)[page.start : page.start + page.limit]
        rooms = [{"room_id": room_id, "stream_ordering": counter_of(number)} for room_id, number in shown]
        return {"rooms": rooms, "total": len(rows), **page.token(len(rows))}

    async def reset(self, destination: str) -> None:
        """Try a server again at once. Raises NotFound, and InvalidParam if it is not being left alone."""
        await self._row(destination)
        if self._backoffs.of(destination) is None:
            raise InvalidParam("This server is not being left alone")
        self._backoffs.reset(destination)

    async def _row(self, destination: str) -> Row:
        if "\0" in destination:
            raise NotFound("Nothing was ever sent to that server")
        row = await self._database.read(lambda txn: sql.one(txn, destination))
        if row is None:
            raise NotFound("Nothing was ever sent to that server")
        return row


def _shown(row: Row) -> dict[str, Any]:
    """A server as administrators know it; the order of successes is that of their times."""
    destination, failing_since_ms, retry_last_ms, retry_interval_ms, succeeded_ms, lag = row
    return {
        "destination": destination,
        "retry_last_ts": retry_last_ms,
        "retry_interval": retry_interval_ms,
        "failure_ts": failing_since_ms,
        "last_successful_stream_ordering": succeeded_ms,
        "is_catching_up": lag is not None,
    }
