"""The keys of local users as others see them, in memory until the log says that a user's list has changed.

What this process has not heard of yet is asked of the database, so that whatever a client has been told of in /sync, or
was told when it uploaded keys, by whichever process, is in the answer: who asks from another process is let in when the
reader has caught up. Here is no rule of who may see what: see ``query``.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, TypeVar

import orjson

from replication.ports import Row
from replication.reader import Reader
from synapse_like.features.device_keys import sql
from synapse_like.features.device_keys.checks import MASTER, SELF_SIGNING, USER_SIGNING
from synapse_like.features.device_lists import DEVICE_LISTS, SIGNED_USERS, DeviceListFact, SignedUsersFact, versions
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.db import Database, Transaction

V = TypeVar("V")

_KNOWN: Final = 50_000
_MADE_BY_ONE: Final = 1000
"""Who has signed the keys of more users is looked up each time."""
_NOTHING: Final = b"{}"

Signatures = dict[str, list[tuple[str, str, str]]]
"""User → (key id, signing key id, signature)."""


@dataclass(frozen=True, slots=True)
class Published:
    """A user's keys at one version of the list. Bytes are JSON; `names` are display names by device."""

    version: int
    devices: Mapping[str, bytes]
    names: Mapping[str, str]
    shown: Mapping[str, bytes]
    """Devices' keys as clients get them, with `unsigned`."""
    all_shown: bytes
    """All of `shown` as one object."""
    cross_signing: Mapping[str, bytes]
    """By usage."""


class _Load:
    """One load under way; `changed`: whose keys have changed meanwhile, so that what it brings of them is not kept."""

    __slots__ = ("changed",)

    def __init__(self) -> None:
        self.changed: set[str] = set()


class PublishedKeys:
    """The keys of local users, and the signatures that they have made of each other's master keys."""

    def __init__(self, database: Database, reader: Reader, log: UserLog) -> None:
        self._database = database
        self._reader = reader
        self._log = log
        self._known: OrderedDict[str, Published] = OrderedDict()
        self._made: OrderedDict[str, Signatures] = OrderedDict()
        self._loads: set[_Load] = set()
        reader.subscribe(DEVICE_LISTS, self._take)
        reader.subscribe(SIGNED_USERS, self._take)

    async def of(self, user_ids: Sequence[str], asker: str) -> tuple[dict[str, Published], Signatures]:
        """The keys of these users, and the signatures that `asker` has made of others; no query if all are here."""
        if not self._has_heard_itself():
            return await self._load(user_ids, asker)
        found = {user_id: known for user_id in user_ids if (known := self._known.get(user_id)) is not None}
        made = self._made.get(asker)
        if len(found) < len(user_ids) or made is None:
            missing = [user_id for user_id in user_ids if user_id not in found]
            loaded, fresh = await self._load(missing, asker if made is None else "")
            found |= loaded
            made = fresh if made is None else made
        return found, made

    async def current(self, user_ids: Sequence[str]) -> dict[str, Published]:
        """The keys of these users as they are in the database now, whatever this process has heard."""
        return (await self._load(user_ids, ""))[0]

    def _has_heard_itself(self) -> bool:
        heard = self._reader.positions[USER.name]
        return all(heard[shard] >= counter for shard, counter in self._log.ends())

    async def _load(self, user_ids: Sequence[str], asker: str) -> tuple[dict[str, Published], Signatures]:
        known = {user_id: self._known.get(user_id) for user_id in user_ids}

        def read(transaction: Transaction) -> tuple[dict[str, Published], Signatures]:
            remembered = [user_id for user_id in user_ids if known[user_id] is not None]
            found: dict[str, Published] = {}
            for user_id, version in versions(transaction, remembered).items():
                keys = known[user_id]
                if keys is not None and keys.version == version:
                    found[user_id] = keys
            loaded, made = load(transaction, [user_id for user_id in user_ids if user_id not in found], asker)
            return found | loaded, made

        under_way = _Load()
        self._loads.add(under_way)
        try:
            found, made = await self._database.read(read)
        finally:
            self._loads.discard(under_way)
        changed = under_way.changed
        _keep(self._known, {user_id: keys for user_id, keys in found.items() if user_id not in changed}, _KNOWN)
        if asker and asker not in changed and len(made) <= _MADE_BY_ONE:
            _keep(self._made, {asker: made}, _KNOWN)
        return found, made

    def _take(self, facts: Sequence[DeviceListFact | SignedUsersFact]) -> None:
        for fact in facts:
            self._known.pop(fact.user_id, None)
            self._made.pop(fact.user_id, None)
            for under_way in self._loads:
                under_way.changed.add(fact.user_id)


def _keep(known: OrderedDict[str, V], fresh: Mapping[str, V], limit: int) -> None:
    for user_id, value in fresh.items():
        known[user_id] = value
        known.move_to_end(user_id)
    while len(known) > limit:
        known.popitem(last=False)


def load(transaction: Transaction, user_ids: Sequence[str], asker: str) -> tuple[dict[str, Published], Signatures]:
    """The keys of users who have ever had any, and what `asker` has signed of others; one query."""
    parts: dict[str, list[Row]] = {part: [] for part in sql.PARTS}
    for part, *row in sql.published(transaction, user_ids, asker) if user_ids or asker else ():
        parts[part].append(tuple(row))
    lists = {user_id: version for user_id, _, _, _, version in parts[sql.LIST]}
    devices: dict[str, dict[str, dict[str, Any]]] = {user_id: {} for user_id in lists}
    names: dict[str, dict[str, str]] = {user_id: {} for user_id in lists}
    cross_signing: dict[str, dict[str, dict[str, Any]]] = {user_id: {} for user_id in lists}
    for user_id, device_id, name, text, _ in sorted(parts[sql.DEVICE], key=_two):
        devices[user_id][device_id] = orjson.loads(text)
        if name is not None:
            names[user_id][device_id] = name
    for user_id, usage, _, text, _ in parts[sql.CROSS_SIGNING]:
        cross_signing[user_id][usage] = orjson.loads(text)
    for user_id, key_id, signing_key_id, signature, _ in sorted(parts[sql.OWN_SIGNATURE]):
        master = cross_signing[user_id].get(MASTER)
        target = master if master and f"ed25519:{key_id}" in master["keys"] else devices[user_id].get(key_id)
        if target is not None:
            add_signature(target, user_id, signing_key_id, signature)
    made: Signatures = {}
    for user_id, key_id, signing_key_id, signature, _ in sorted(parts[sql.SIGNATURE]):
        made.setdefault(user_id, []).append((key_id, signing_key_id, signature))
    return {
        user_id: _published(version, devices[user_id], names[user_id], cross_signing[user_id])
        for user_id, version in lists.items()
    }, made


def add_signature(keys: dict[str, Any], signer: str, signing_key_id: str, signature: str) -> None:
    """Add a signature to keys."""
    keys.setdefault("signatures", {}).setdefault(signer, {})[signing_key_id] = signature


def members(items: Iterable[tuple[str, bytes]]) -> bytes:
    """A JSON object of ready-made values."""
    return b"{%s}" % b",".join(orjson.dumps(name) + b":" + value for name, value in items)


def _published(
    version: int, devices: dict[str, dict[str, Any]], names: Mapping[str, str], cross_signing: dict[str, dict[str, Any]]
) -> Published:
    shown = {}
    for device_id, keys in devices.items():
        unsigned = {"device_display_name": names[device_id]} if device_id in names else {}
        shown[device_id] = orjson.dumps({**keys, "unsigned": unsigned})
    return Published(
        version=version,
        devices={device_id: orjson.dumps(keys) for device_id, keys in devices.items()},
        names=names,
        shown=shown,
        all_shown=members(shown.items()) if shown else _NOTHING,
        cross_signing={usage: orjson.dumps(cross_signing[usage]) for usage in _USAGES if usage in cross_signing},
    )


_two = itemgetter(0, 1)
_USAGES: Final = (MASTER, SELF_SIGNING, USER_SIGNING)
