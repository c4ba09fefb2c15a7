"""Data that clients keep for their user, whose content the server does not understand, save for the ignored users."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from replication.owned import owned
from synapse_like.features.account_data import sql
from synapse_like.features.account_data.errors import ServerControlled
from synapse_like.features.account_data.stream import ACCOUNT_DATA, AccountDataFact
from synapse_like.features.filters import Filters
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, NotFound
from synapse_like.matrix.filters import Filter
from synapse_like.matrix.ids import is_valid_room_id
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.followed import Followed
from synapse_like.toolkit.locks import KeyedLocks

IGNORED_USERS = "m.ignored_user_list"
SERVER_CONTROLLED = frozenset({"m.fully_read", "m.push_rules"})
"""Types that clients may read here, and write by other endpoints only."""

MAX_TYPE_BYTES = 255
GLOBAL = ""

Json = dict[str, Any]
Computed = Callable[[str], Awaitable[Json]]
Change = Callable[[Json], Json | None]


class UserData:
    """Account data, and what of it /sync asks for.

    `computed` holds global types that other features answer for (m.push_rules): user id → content.
    """

    def __init__(self, database: Database, rooms: Rooms, filters: Filters) -> None:
        self.computed: dict[str, Computed] = {}
        self._database = database
        self._log = rooms.user_log
        self._filters = filters
        self._locks = KeyedLocks()
        self.cache: Followed[frozenset[str]] = Followed(self._load_ignored, frozenset())
        rooms.reader.subscribe(ACCOUNT_DATA, self._take)

    async def ignored_users(self, user_id: str) -> frozenset[str]:
        """Whom the user ignores. Source: client-server API, "Ignoring users"."""
        return await self.cache.get(user_id)

    async def stored_filter(self, user_id: str, filter_id: str) -> Filter:
        """A filter that the user has stored. Raises NotFound."""
        return await self._filters.get(user_id, filter_id)

    async def get(self, user_id: str, room_id: str, kind: str) -> Json | None:
        """A user's data of one type, in a room or `GLOBAL`; None if there is none."""
        if room_id == GLOBAL and kind in self.computed:
            return await self.computed[kind](user_id)
        text = await self._database.read(lambda txn: sql.content(txn, user_id, room_id, kind))
        return None if text is None else dict(orjson.loads(text))

    async def get_all(self, user_id: str) -> dict[str, dict[str, Json]]:
        """All stored data of a user: room id or `GLOBAL` → type → content."""
        found: dict[str, dict[str, Json]] = {}
        for room_id, kind, content, _ in await self._database.read(lambda txn: sql.everything(txn, user_id)):
            found.setdefault(room_id, {})[kind] = orjson.loads(content)
        return found

    @owned(USER, "user_id")
    async def put(self, user_id: str, room_id: str, kind: str, content: Mapping[str, Any]) -> None:
        """Store data in a room or `GLOBAL`. Server-controlled types too: clients are held off by `check_writable`.

        Raises BadJson for what has no JSON form.
        """
        async with self._locks.hold((user_id, room_id, kind)):
            await self._put(user_id, room_id, kind, content)

    async def change(self, user_id: str, room_id: str, kind: str, change: Change) -> None:
        """Replace a user's data by what `change` makes of it ({} if there is none); None leaves it as it is."""
        async with self._locks.hold((user_id, room_id, kind)):
            changed = change(await self.get(user_id, room_id, kind) or {})
            if changed is not None:
                await self._put(user_id, room_id, kind, changed)

    @owned(USER, "user_id")
    async def delete(self, user_id: str, room_id: str, kind: str) -> None:
        """Delete data of one type; nothing happens if there is none. Source: MSC3391."""
        async with self._locks.hold((user_id, room_id, kind)):
            if await self.get(user_id, room_id, kind) is not None:
                await self._append(user_id, [_deletion(user_id, room_id, kind)])

    @owned(USER, "user_id")
    async def purge(self, user_id: str) -> None:
        """Delete all data of a user whose account is closed."""
        stored = await self._database.read(lambda txn: sql.everything(txn, user_id))
        if stored:
            await self._append(user_id, [_deletion(user_id, room_id, kind) for room_id, kind, _, _ in stored])

    async def _put(self, user_id: str, room_id: str, kind: str, content: Mapping[str, Any]) -> None:
        text = canonical_json(content).decode()
        await self._append(user_id, [AccountDataFact(user_id=user_id, room_id=room_id, type=kind, content=text)])

    async def _append(self, user_id: str, facts: Sequence[AccountDataFact]) -> None:
        await self._log.append(user_id, [(ACCOUNT_DATA, fact) for fact in facts])
        self._take(facts)

    def _take(self, facts: Sequence[AccountDataFact]) -> None:
        for fact in facts:
            if fact.type == IGNORED_USERS and fact.room_id == GLOBAL:
                self.cache.take(fact.user_id, fact.number, ignored_in(orjson.loads(fact.content), fact.user_id))

    async def _load_ignored(self, user_ids: Sequence[str]) -> dict[str, tuple[int, frozenset[str]]]:
        return await self._database.read(lambda txn: ignore_lists(txn, user_ids))


def ignored_in(content: object, user_id: str) -> frozenset[str]:
    """The users in the content of m.ignored_user_list; nobody if it is malformed. Nobody can ignore themself."""
    users = content.get("ignored_users") if isinstance(content, dict) else None
    return frozenset(users) - {user_id} if isinstance(users, dict) else frozenset()


def ignore_lists(transaction: Transaction, user_ids: Sequence[str]) -> dict[str, tuple[int, frozenset[str]]]:
    """Whom these users ignore, with the number of the last change; those who never ignored anybody are left out."""
    rows = sql.of_type(transaction, user_ids, IGNORED_USERS)
    return {user_id: (number, ignored_in(orjson.loads(text), user_id)) for user_id, number, text in rows}


def check_place(room_id: str, kind: str) -> None:
    """Check the room (or `GLOBAL`) and type that a client names. Raises InvalidParam."""
    if room_id != GLOBAL and not is_valid_room_id(room_id):
        raise InvalidParam(f"{room_id!r} is not a valid room ID")
    if len(kind.encode(errors="replace")) > MAX_TYPE_BYTES:
        raise InvalidParam("The type of account data is too long")


def check_writable(kind: str) -> None:
    """Raise ServerControlled for types that clients may not write here."""
    if kind in SERVER_CONTROLLED:
        raise ServerControlled(f"{kind} cannot be set by this endpoint")


def found(content: Json | None) -> Json:
    """What was asked for. Raises NotFound for None."""
    if content is None:
        raise NotFound("There is no account data of this type")
    return content


def _deletion(user_id: str, room_id: str, kind: str) -> AccountDataFact:
    return AccountDataFact(user_id=user_id, room_id=room_id, type=kind, content="{}", is_deleted=True)
