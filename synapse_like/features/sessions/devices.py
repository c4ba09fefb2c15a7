"""A user's devices: looking at them, renaming them, and ending them with all their tokens."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from replication.batch import Extra
from replication.log import Pair
from replication.owned import owned
from synapse_like.features.sessions import sql
from synapse_like.features.sessions.facts import Device, DeviceFact, RevocationFact
from synapse_like.features.sessions.sightings import Sightings
from synapse_like.features.sessions.stream import DEVICES, TOKENS
from synapse_like.matrix.errors import InvalidParam, NotFound
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.locks import KeyedLocks

MAX_NAME_LENGTH: Final = 100
KEEP_DELETED_MS: Final = 30 * 24 * 60 * 60 * 1000


class Companion(Protocol):
    """A feature that keeps something for devices: what it does in the transaction that renames or ends them."""

    async def renamed(self, user_id: str, device_id: str, display_name: str | None) -> Sequence[Pair]:
        """What is appended with the new name of a device."""
        ...

    async def ended(self, user_id: str, device_ids: Sequence[str]) -> Sequence[Pair]:
        """What is appended with the end of devices."""
        ...

    def forget(self, transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
        """Delete what was stored for devices that end."""
        ...


class Devices:
    """The devices of local users.

    `on_revoked` is called with a user whose tokens were revoked, before the reply. `locks` are held, by user id, by
    whoever changes devices or tokens: a session that is just being refreshed cannot outlive its device. `companions`
    and `never_stale` (which of a user's devices are kept however long nobody sees them) are filled in while the server
    is built.
    """

    def __init__(self, database: Database, log: UserLog, clock: Clock, sightings: Sightings) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._sightings = sightings
        self.on_revoked: list[Callable[[str], object]] = []
        self.companions: list[Companion] = []
        self.never_stale: list[Callable[[str], Awaitable[set[str]]]] = []
        self.locks = KeyedLocks()

    async def all(self, user_id: str) -> list[Device]:
        """A user's devices, with where they were seen last."""
        found = await self._database.read(lambda txn: sql.devices(txn, user_id))
        return [self._with_newest_sighting(user_id, device) for device in found]

    async def find(self, user_id: str, device_id: str) -> Device | None:
        """One device, or None."""
        found = await self._database.read(lambda txn: sql.device(txn, user_id, device_id))
        return None if found is None else self._with_newest_sighting(user_id, found)

    async def get(self, user_id: str, device_id: str) -> Device:
        """One device. Raises NotFound."""
        found = await self.find(user_id, device_id)
        if found is None:
            raise NotFound("There is no such device")
        return found

    @owned(USER, "user_id")
    async def rename(self, user_id: str, device_id: str, display_name: str | None) -> None:
        """Give a device a name, or take it away. Raises NotFound."""
        async with self.locks.hold(user_id):
            await self.get(user_id, device_id)
            now_ms = self._clock.now_ms()
            fact = DeviceFact(user_id=user_id, device_id=device_id, display_name=display_name, changed_ms=now_ms)
            facts: list[Pair] = [(DEVICES, fact)]
            for companion in self.companions:
                facts.extend(await companion.renamed(user_id, device_id, display_name))
            await self._log.append(user_id, facts)

    @owned(USER, "user_id")
    async def delete(self, user_id: str, device_ids: Sequence[str]) -> None:
        """End devices with their tokens; those that do not exist are left out. Their tokens are dead on return."""
        async with self.locks.hold(user_id):
            wanted = set(device_ids)
            ended = [device.device_id for device in await self.all(user_id) if device.device_id in wanted]
            if ended:
                await self._end(user_id, ended)

    async def stale(self, before_ms: int) -> dict[str, list[str]]:
        """Devices by user that were not seen since a time, and did not begin after it either; some of them."""
        found: dict[str, list[str]] = {}
        for user_id, device_id in await self._database.read(lambda txn: sql.stale_devices(txn, before_ms)):
            found.setdefault(user_id, []).append(device_id)
        return found

    @owned(USER, "user_id")
    async def delete_stale(self, user_id: str, device_ids: list[str], before_ms: int) -> None:
        """End those of the devices that nobody has seen meanwhile either."""
        for keep in self.never_stale:
            device_ids = [device_id for device_id in device_ids if device_id not in await keep(user_id)]
        seen = {device_id: self._sightings.peek(user_id, device_id) for device_id in device_ids}
        await self.delete(user_id, [each for each, last in seen.items() if last is None or last.seen_ms < before_ms])

    async def add(self, user_id: str, device_id: str, display_name: str | None, extra: Extra) -> None:
        """Make a device without a session; `extra` runs in the same transaction. Raises InvalidParam if it exists."""
        async with self.locks.hold(user_id):
            if await self.find(user_id, device_id) is not None:
                raise InvalidParam("There is such a device already")
            now_ms = self._clock.now_ms()
            fact = DeviceFact(user_id=user_id, device_id=device_id, display_name=display_name, changed_ms=now_ms)
            await self._log.append(user_id, [(DEVICES, fact)], extra=extra)

    @owned(USER, "user_id")
    async def delete_all(self, user_id: str, *, but: str | None = None) -> None:
        """End all devices of a user, perhaps but one."""
        async with self.locks.hold(user_id):
            ended = [device.device_id for device in await self.all(user_id) if device.device_id != but]
            if ended:
                await self._end(user_id, ended)

    async def purge(self) -> None:
        """Forget devices that were deleted long ago."""
        before_ms = self._clock.now_ms() - KEEP_DELETED_MS
        await self._database.write(lambda txn: sql.purge_devices(txn, before_ms))

    def revoked(self, user_id: str) -> None:
        """Tell who remembers tokens that some of this user's have ended."""
        for hear in self.on_revoked:
            hear(user_id)

    async def _end(self, user_id: str, ended: Sequence[str]) -> None:
        now_ms = self._clock.now_ms()
        facts: list[Pair] = [
            (DEVICES, DeviceFact(user_id=user_id, device_id=device_id, is_deleted=True, changed_ms=now_ms))
            for device_id in ended
        ]
        facts.append((TOKENS, RevocationFact(user_id=user_id)))
        for companion in self.companions:
            facts.extend(await companion.ended(user_id, ended))

        def end(transaction: Transaction) -> None:
            sql.end_tokens(transaction, user_id, ended)
            sql.forget_sightings(transaction, user_id, ended)
            for companion in self.companions:
                companion.forget(transaction, user_id, ended)

        await self._log.append(user_id, facts, extra=end, is_heard_by_all=True)
        self._sightings.forget(user_id, ended)
        self.revoked(user_id)

    def _with_newest_sighting(self, user_id: str, device: Device) -> Device:
        newer = self._sightings.peek(user_id, device.device_id)
        return device if newer is None else replace(device, sighting=newer)
