"""64-bit numbers for rooms, state keys and events.

Numbers come in blocks from the database. A state key's number is given in a short transaction of its own, before the
batch that uses it, and remembered only after that transaction has committed.
"""

from collections.abc import Awaitable, Iterable, Sequence

from synapse_like.matrix.errors import RoomInUse
from synapse_like.rooms.sql import numbers as sql
from synapse_like.rooms.sql.numbers import Key
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.gathered import Gathered
from synapse_like.toolkit.together import together

_BLOCK = 1000
_KNOWN_KEYS = 500_000
_FEW = 20
"""So few pairs are given numbers without a look whether they have some; those are kept, and theirs are not used."""
_MEMBER = "m.room.member"


class NumberBlock:
    """Hands out numbers of one name; asks the database once per thousand."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._next = 0
        self._end = 0

    async def take(self, count: int = 1) -> int:
        """Reserve `count` numbers in a row; the first of them."""
        while self._next + count > self._end:
            size = max(count, _BLOCK)
            first = await self._reserve(size)
            if self._next + count > self._end:
                self._next, self._end = first, first + size
        first, self._next = self._next, self._next + count
        return first

    def _reserve(self, size: int) -> Awaitable[int]:
        return self._database.write(lambda txn: sql.take_block(txn, self._name, size))


class RoomNumbers:
    """Makes rooms known, each with a number."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._block = NumberBlock(database, "room")

    async def take(self) -> int:
        """A number for a room that its first commit makes known."""
        return await self._block.take()

    async def add(self, room_id: str, room_version: str, shard: int) -> int:
        """The number of a room that is made known now. Raises RoomInUse if the id is taken."""
        nid = await self._block.take()
        is_new = await self._database.write(lambda txn: sql.add_room(txn, nid, room_id, room_version, shard))
        if not is_new:
            raise RoomInUse("A room of that id exists")
        return nid


class KeyNumbers:
    """The numbers of (type, state key) pairs; a user's number is that of the user's membership."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._block = NumberBlock(database, "state_key")
        self._known: dict[Key, int] = {}
        self._numbered = Gathered(self._number)

    def known(self, key: Key) -> int | None:
        """The number of a pair if this process knows it."""
        return self._known.get(key)

    async def of(self, key: Key) -> int:
        """The number of a pair, given now if it has none."""
        number = self._known.get(key)
        return number if number is not None else (await self.of_all([key]))[key]

    async def of_all(self, wanted: Iterable[Key], *, remembers: bool = True) -> dict[Key, int]:
        """The numbers of several pairs, in at most three transactions whatever their count (one for a few).

        Whoever asks for very many that nobody will ask for again does not let them be remembered.
        """
        pairs = set(wanted)
        found = {pair: self._known[pair] for pair in pairs if pair in self._known}
        missing = sorted(pairs - found.keys())
        if missing:
            found |= await self._fetch(missing, remembers)
        return found

    async def _fetch(self, missing: list[Key], remembers: bool) -> dict[Key, int]:
        if len(missing) > _FEW:
            found = await self._database.read(lambda txn: sql.keys(txn, missing))
            found |= await self._number([pair for pair in missing if pair not in found])
        else:
            numbers = await together(self._numbered.get(pair) for pair in missing)
            found = {pair: number for pair, number in zip(missing, numbers, strict=True) if number is not None}
        if not remembers:
            return found
        if len(self._known) > _KNOWN_KEYS:
            self._known.clear()
        self._known |= found
        return found

    async def _number(self, pairs: Sequence[Key]) -> dict[Key, int]:
        """Give numbers to pairs, unless they have some."""
        if not pairs:
            return {}
        first = await self._block.take(len(pairs))
        rows = [(first + index, *pair) for index, pair in enumerate(pairs)]

        def add(transaction: Transaction) -> dict[Key, int]:
            return sql.add_keys(transaction, rows)

        return await self._database.write(add)

    async def of_user(self, user_id: str) -> int:
        """A user's number."""
        return await self.of((_MEMBER, user_id))
