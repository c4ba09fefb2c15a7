"""Cross-signing keys: a master key, which signs a key for one's own devices and one for other users.

Source: client-server API, "Cross-signing".
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from replication.owned import owned
from synapse_like.features.device_keys import sql
from synapse_like.features.device_keys.checks import (
    MASTER,
    SELF_SIGNING,
    USER_SIGNING,
    canonical_text,
    check_signed_by,
    public_part,
    verify_key_of,
)
from synapse_like.features.device_keys.uploads import KeyTools
from synapse_like.features.uia import Uia
from synapse_like.matrix.errors import MissingParam
from synapse_like.rooms.families import USER
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.http.requester import Requester

_OPERATION: Final = "replace cross-signing keys"

Keys = dict[str, dict[str, Any]]
"""By usage."""


class CrossSigning:
    """Stores the cross-signing keys of local users."""

    def __init__(self, tools: KeyTools, uia: Uia) -> None:
        self._tools = tools
        self._uia = uia

    async def upload(self, requester: Requester, keys: Keys, auth: object) -> None:
        """Store keys. The first ones, and those that are there already, need no proof of who it is.

        Raises InvalidParam, InvalidSignature, MissingParam, AuthenticationNeeded and what comes with that.
        """
        user_id = requester.user_id
        async with self._tools.devices.locks.hold(user_id):
            stored = await self.of(user_id)
            _check(keys, stored, user_id)
            changed = {usage: key for usage, key in keys.items() if stored.get(usage) != _stored_form(key)}
            if not changed:
                return
            if MASTER in stored:
                await self._uia.confirm_user(requester, auth, _OPERATION)
            await self._store(user_id, changed, stored)

    async def of(self, user_id: str) -> Keys:
        """The keys of a local user."""
        rows = await self._tools.database.read(lambda txn: sql.cross_signing(txn, [user_id]))
        return {usage: orjson.loads(text) for _, usage, text in rows}

    @owned(USER, "user_id")
    async def forget(self, user_id: str) -> None:
        """Delete all keys and signatures of a user whose account was closed."""
        async with self._tools.devices.locks.hold(user_id):
            if await self.of(user_id):
                facts = await self._tools.lists.changed(user_id, [""], is_deleted=True)
                await self._tools.log.append(user_id, facts, extra=lambda txn: sql.forget_user(txn, user_id))

    async def _store(self, user_id: str, changed: Keys, stored: Keys) -> None:
        rows = [(user_id, usage, public_part(key), canonical_text(key)) for usage, key in changed.items()]
        replaced = [
            public_part(stored[usage])
            for usage, key in changed.items()
            if usage in stored and public_part(stored[usage]) != public_part(key)
        ]

        def store(transaction: Transaction) -> None:
            sql.set_cross_signing(transaction, rows)
            if replaced:
                sql.forget_signatures(transaction, user_id, replaced, [f"ed25519:{each}" for each in replaced])

        await self._tools.log.append(user_id, await self._tools.lists.changed(user_id, [""]), extra=store)


def _check(keys: Keys, stored: Keys, user_id: str) -> None:
    master = keys.get(MASTER) or stored.get(MASTER)
    if master is None:
        raise MissingParam("There is no master key yet: it has to come first, or with the others")
    master_key = verify_key_of(master, MASTER, user_id)
    for usage in (SELF_SIGNING, USER_SIGNING):
        if usage in keys:
            verify_key_of(keys[usage], usage, user_id)
            check_signed_by(keys[usage], f"{usage}_key", user_id, master_key)


def _stored_form(key: Mapping[str, Any]) -> Any:
    return orjson.loads(canonical_text(key))
