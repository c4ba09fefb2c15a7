"""Answering POST /keys/query, and what other servers ask: who may see which keys and signatures.

Everybody may see devices' keys, master and self-signing keys, and the signatures that a user has made of the user's own
keys. A user-signing key, and signatures of other users' master keys, are shown to the user who made them alone.
Source: client-server API, "Cross-signing".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from synapse_like.features.device_keys.checks import MASTER, SELF_SIGNING, USER_SIGNING
from synapse_like.features.device_keys.ports import NoRemoteKeys, RemoteKeys
from synapse_like.features.device_keys.published import Published, PublishedKeys, Signatures, add_signature, members
from synapse_like.matrix.ids import parse_user_id

DEFAULT_TIMEOUT_MS: Final = 10_000
MAX_TIMEOUT_MS: Final = 60_000

Wanted = Mapping[str, Sequence[str]]
"""User → devices; none: all."""


class KeyQuery:
    """The front door to keys as others see them.

    For federation: `remote` is asked for users of other servers, set it while the server is built; `published` gives
    what /user/devices and /user/keys/query show of users of ours.
    """

    def __init__(self, keys: PublishedKeys, server_name: str) -> None:
        self.remote: RemoteKeys = NoRemoteKeys()
        self._keys = keys
        self._server_name = server_name

    def is_local(self, user_id: str) -> bool:
        """Whether this is a user of ours. Raises InvalidParam for what is no user id."""
        if user_id.startswith("@") and user_id.partition(":")[2] == self._server_name:
            return True  # an odd id finds nothing, as nobody has it
        return parse_user_id(user_id)[1] == self._server_name

    async def published(self, user_ids: Sequence[str]) -> dict[str, Published]:
        """The keys of local users as other servers may see them (without the names of devices: `devices`).

        `Published.version` is the `stream_id` of the list. Who never had keys is left out.
        """
        return await self._keys.current(user_ids)

    async def answer(self, asker: str, wanted: Wanted, timeout_ms: int) -> bytes:
        """The body of the answer to a local user. Raises InvalidParam for what is no user id."""
        local = [user_id for user_id in wanted if self.is_local(user_id)]
        remote = {user_id: wanted[user_id] for user_id in wanted.keys() - local}
        found, signatures = await self._keys.of(local, asker)
        devices = {user_id: _devices(found.get(user_id), wanted[user_id]) for user_id in local}
        masters = _cross_signing(found, MASTER)
        self_signing = _cross_signing(found, SELF_SIGNING)
        failures: dict[str, Any] = {}
        if remote:
            theirs = await self.remote.query(remote, timeout_ms)
            devices |= _dumped(theirs.device_keys)
            masters |= _dumped(theirs.master_keys)
            self_signing |= _dumped(theirs.self_signing_keys)
            failures = theirs.failures
        parts = {
            "device_keys": members(devices.items()),
            "failures": orjson.dumps(failures),
            "master_keys": members(_signed(masters, signatures, asker).items()),
            "self_signing_keys": members(self_signing.items()),
            "user_signing_keys": members(_cross_signing({asker: found[asker]}, USER_SIGNING).items())
            if asker in found
            else b"{}",
        }
        return members(parts.items())


def _devices(published: Published | None, device_ids: Sequence[str]) -> bytes:
    if published is None:
        return b"{}"
    if not device_ids:
        return published.all_shown
    return members((each, published.shown[each]) for each in dict.fromkeys(device_ids) if each in published.shown)


def _cross_signing(found: Mapping[str, Published], usage: str) -> dict[str, bytes]:
    return {user_id: keys.cross_signing[usage] for user_id, keys in found.items() if usage in keys.cross_signing}


def _signed(masters: dict[str, bytes], signatures: Signatures, asker: str) -> dict[str, bytes]:
    """The master keys, with the signatures that the asker has made of them."""
    for user_id in masters.keys() & signatures.keys():
        made = signatures[user_id]
        key = orjson.loads(masters[user_id])
        for key_id, signing_key_id, signature in made:
            if f"ed25519:{key_id}" in key["keys"]:
                add_signature(key, asker, signing_key_id, signature)
        masters[user_id] = orjson.dumps(key)
    return masters


def _dumped(values: Mapping[str, Any]) -> dict[str, bytes]:
    return {user_id: orjson.dumps(value) for user_id, value in values.items()}
