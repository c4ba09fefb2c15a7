"""The keys of local users as others see them, in memory for as long as the version of the user's list stays the same.

Every question asks the database for the versions first (one query for all users), so that whatever a client has been
told of in /sync, by whichever process, is in the answer. Here is no rule of who may see what: see ``query``.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from synapse_like.features.device_keys import sql
from synapse_like.features.device_keys.checks import MASTER, SELF_SIGNING, USER_SIGNING
from synapse_like.toolkit.db import Database, Transaction

_KNOWN: Final = 50_000
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


class PublishedKeys:
    """The keys of local users."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, Published] = OrderedDict()

    async def of(self, user_ids: Sequence[str], asker: str = "") -> tuple[dict[str, Published], Signatures]:
        """The keys of these users, and the signatures that `asker` has made of others among them."""

        def read(transaction: Transaction) -> tuple[dict[str, int], Signatures, dict[str, Published]]:
            versions: dict[str, int] = {}
            signatures: Signatures = {}
            for user_id, version, *signature in sql.versions_and_signatures(transaction, user_ids, asker):
                if version:
                    versions[user_id] = version
                else:
                    signatures.setdefault(user_id, []).append(tuple(signature))
            stale = {user_id: version for user_id, version in versions.items() if not self._is_known(user_id, version)}
            return versions, signatures, load(transaction, stale)

        versions, signatures, loaded = await self._database.read(read)
        found = {user_id: loaded.get(user_id) or self._known.get(user_id) for user_id in versions}
        for user_id, published in loaded.items():
            self._known[user_id] = published
            self._known.move_to_end(user_id)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        missing = [user_id for user_id, published in found.items() if published is None]
        if missing:  # pushed out of memory meanwhile
            again = {user_id: versions[user_id] for user_id in missing}
            found |= await self._database.read(lambda txn: load(txn, again))
        return {user_id: published for user_id, published in found.items() if published is not None}, signatures

    def _is_known(self, user_id: str, version: int) -> bool:
        known = self._known.get(user_id)
        return known is not None and known.version == version


def load(transaction: Transaction, versions: Mapping[str, int]) -> dict[str, Published]:
    """The keys of users, whose lists are at these versions; three queries."""
    user_ids = list(versions)
    devices: dict[str, dict[str, dict[str, Any]]] = {user_id: {} for user_id in user_ids}
    names: dict[str, dict[str, str]] = {user_id: {} for user_id in user_ids}
    for user_id, device_id, text, name in sql.devices(transaction, user_ids):
        devices[user_id][device_id] = orjson.loads(text)
        if name is not None:
            names[user_id][device_id] = name
    cross_signing: dict[str, dict[str, dict[str, Any]]] = {user_id: {} for user_id in user_ids}
    for user_id, usage, text in sql.cross_signing(transaction, user_ids):
        cross_signing[user_id][usage] = orjson.loads(text)
    for user_id, key_id, signing_key_id, signature in sql.own_signatures(transaction, user_ids):
        master = cross_signing[user_id].get(MASTER)
        target = master if master and f"ed25519:{key_id}" in master["keys"] else devices[user_id].get(key_id)
        if target is not None:
            add_signature(target, user_id, signing_key_id, signature)
    return {
        user_id: _published(version, devices[user_id], names[user_id], cross_signing[user_id])
        for user_id, version in versions.items()
    }


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


_USAGES: Final = (MASTER, SELF_SIGNING, USER_SIGNING)
