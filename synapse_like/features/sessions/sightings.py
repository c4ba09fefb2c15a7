"""When and where devices were seen: noted in memory at every request, written behind in batches now and then."""

from collections.abc import Sequence
from sys import intern
from typing import Any, Final

from synapse_like.features.sessions import sql
from synapse_like.features.sessions.facts import Sighting
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http.request import Request

WRITE_SECONDS: Final = 20.0
GRANULARITY_MS: Final = 120_000
"""A device that is seen all the time is written at most this often."""
_MAX_AGENT_LENGTH: Final = 300
_MAX_KNOWN: Final = 100_000

Key = tuple[str, str]


class Sightings:
    """The newest sighting of each device that called this process lately; a service that writes its rest at the end."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._newest: dict[Key, Sighting] = {}
        self._written_ms: dict[Key, int] = {}

    def note(self, user_id: str, device_id: str, request: Request[Any]) -> None:
        """Note that a device made a request."""
        key = (user_id, device_id)
        now_ms = self._clock.now_ms()
        known = self._newest.get(key)
        if known is None or known.ip != request.client_ip or now_ms - known.seen_ms >= 1000:
            agent = intern(request.user_agent[:_MAX_AGENT_LENGTH].replace("\0", ""))  # many devices have the same
            self._newest[key] = Sighting(now_ms, request.client_ip, agent)

    def peek(self, user_id: str, device_id: str) -> Sighting | None:
        """The newest sighting that this process knows."""
        return self._newest.get((user_id, device_id))

    def forget(self, user_id: str, device_ids: Sequence[str]) -> None:
        """Forget devices that are gone."""
        for device_id in device_ids:
            self._newest.pop((user_id, device_id), None)
            self._written_ms.pop((user_id, device_id), None)

    async def write(self, *, is_everything: bool = False) -> None:
        """Write what is new, in one statement."""
        due = {key: seen for key, seen in self._newest.items() if is_everything or self._is_due(key, seen)}
        if due:
            rows = [(*key, seen.seen_ms, seen.ip, seen.user_agent) for key, seen in sorted(due.items())]
            await self._database.write(lambda txn: sql.store_sightings(txn, rows))
        self._written_ms |= {key: seen.seen_ms for key, seen in due.items()}
        if len(self._newest) > _MAX_KNOWN:
            self._drop_written()

    async def start(self) -> None:
        """Nothing is known yet."""

    async def stop(self) -> None:
        """Write the rest."""
        await self.write(is_everything=True)

    def _is_due(self, key: Key, seen: Sighting) -> bool:
        written_ms = self._written_ms.get(key)
        return written_ms is None or seen.seen_ms - written_ms >= GRANULARITY_MS

    def _drop_written(self) -> None:
        for key, written_ms in list(self._written_ms.items()):
            if key not in self._newest or self._newest[key].seen_ms <= written_ms:
                del self._written_ms[key]
                self._newest.pop(key, None)
