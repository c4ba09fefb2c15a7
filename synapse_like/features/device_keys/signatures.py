"""Signatures that clients upload after the keys: of one's own devices and master key, and of others' master keys.

Source: client-server API, POST /keys/signatures/upload.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from replication.log import Pair
from synapse_like.features.device_keys import sql
from synapse_like.features.device_keys.checks import MASTER, SELF_SIGNING, USER_SIGNING, public_part
from synapse_like.features.device_keys.query import KeyQuery
from synapse_like.features.device_keys.uploads import KeyTools
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, InvalidSignature, MatrixError, NotFound
from synapse_like.matrix.signatures import verify_json
from synapse_like.matrix.signing_keys import VerifyKey
from synapse_like.toolkit.db import Transaction

MAX_SIGNED: Final = 1000
"""How many objects one request may bring."""

Row = tuple[str, str, str, str, str]
"""(user, key id, signer, signing key id, signature)"""
Signed = Mapping[str, Mapping[str, Any]]
"""User → key id → the signed object."""


@dataclass(slots=True)
class _Known:
    """The keys that signatures are checked against: of the signer, and the master keys of others."""

    devices: dict[str, dict[str, Any]]
    cross_signing: dict[str, dict[str, Any]]
    masters: dict[str, dict[str, Any]]


@dataclass(slots=True)
class _Outcome:
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)


class KeySignatures:
    """Checks and stores signatures made by local users."""

    def __init__(self, tools: KeyTools, query: KeyQuery) -> None:
        self._tools = tools
        self._query = query

    async def upload(self, user_id: str, signed: Signed) -> dict[str, dict[str, Any]]:
        """Store what is good; the failures, by user and key id. Raises InvalidParam for too many."""
        if sum(len(objects) for objects in signed.values()) > MAX_SIGNED:
            raise InvalidParam(f"At most {MAX_SIGNED} objects may be signed at once")
        async with self._tools.devices.locks.hold(user_id):
            outcome = _Outcome()
            known = await self._known(user_id, [each for each in signed if each != user_id])
            for target, objects in signed.items():
                for key_id, value in objects.items():
                    try:
                        outcome.rows += _checked(user_id, target, key_id, value, known)
                    except MatrixError as error:
                        outcome.failures.setdefault(target, {})[key_id] = error.body()
            if outcome.rows:
                await self._store(user_id, outcome.rows, known)
        return outcome.failures

    async def _known(self, user_id: str, others: list[str]) -> _Known:
        local = [each for each in others if self._query.is_local(each)]
        remote: dict[str, list[str]] = {each: [] for each in others if each not in local}

        def read(transaction: Transaction) -> _Known:
            devices = {row[1]: orjson.loads(row[2]) for row in sql.devices(transaction, [user_id])}
            known = _Known(devices, {}, {})
            for owner, usage, text in sql.cross_signing(transaction, [user_id, *local]):
                if owner == user_id:
                    known.cross_signing[usage] = orjson.loads(text)
                elif usage == MASTER:
                    known.masters[owner] = orjson.loads(text)
            return known

        known = await self._tools.database.read(read)
        if remote:
            known.masters |= (await self._query.remote.query(remote, 10_000)).master_keys
        return known

    async def _store(self, user_id: str, rows: list[Row], known: _Known) -> None:
        master = known.cross_signing.get(MASTER)
        own = sorted({row[1] for row in rows if row[0] == user_id})
        named = ["" if master is not None and each == public_part(master) else each for each in own]
        facts: list[Pair] = await self._tools.lists.changed(user_id, named) if named else []
        others = sorted({row[0] for row in rows if row[0] != user_id})
        if others:
            facts.append(self._tools.lists.signed(user_id, others))
        await self._tools.log.append(user_id, facts, extra=lambda txn: sql.add_signatures(txn, rows))


def _checked(user_id: str, target: str, key_id: str, value: Any, known: _Known) -> list[Row]:
    """The good signatures of one object. Raises NotFound, InvalidParam, InvalidSignature."""
    if not isinstance(value, dict):
        raise InvalidParam("A signed key must be an object")
    if target != user_id:
        return _checked_other(user_id, target, key_id, value, known)
    master = known.cross_signing.get(MASTER)
    if master is not None and key_id == public_part(master):
        _check_same(value, master)
        return _by_devices(user_id, key_id, value, known)
    device = known.devices.get(key_id)
    if device is None:
        raise NotFound("There is no such device or master key")
    _check_same(value, device)
    return [_by_key(user_id, user_id, key_id, value, known.cross_signing.get(SELF_SIGNING))]


def _checked_other(user_id: str, target: str, key_id: str, value: dict[str, Any], known: _Known) -> list[Row]:
    master = known.masters.get(target)
    if master is None or key_id != public_part(master):
        raise NotFound("This is not the master key of that user")
    _check_same(value, master)
    return [_by_key(user_id, target, key_id, value, known.cross_signing.get(USER_SIGNING))]


def _by_key(user_id: str, target: str, key_id: str, value: dict[str, Any], key: dict[str, Any] | None) -> Row:
    """The signature made with a cross-signing key."""
    if key is None:
        raise NotFound("The key that this should be signed with was not uploaded")
    ((signing_key_id, text),) = key["keys"].items()
    if not verify_json(value, user_id, VerifyKey.from_base64(signing_key_id, text)):
        raise InvalidSignature()
    return target, key_id, user_id, signing_key_id, value["signatures"][user_id][signing_key_id]


def _by_devices(user_id: str, key_id: str, value: dict[str, Any], known: _Known) -> list[Row]:
    """The signatures of one's own master key made by one's own devices."""
    found: list[Row] = []
    signatures = value.get("signatures")
    made = signatures.get(user_id) if isinstance(signatures, dict) else None
    for signing_key_id, signature in made.items() if isinstance(made, dict) else ():
        device = known.devices.get(signing_key_id.partition(":")[2])
        text = device["keys"].get(signing_key_id) if device is not None else None
        if text is None:
            continue
        if not verify_json(value, user_id, VerifyKey.from_base64(signing_key_id, text)):
            raise InvalidSignature()
        found.append((user_id, key_id, user_id, signing_key_id, signature))
    if not found:
        raise InvalidSignature("There is no signature of a device of yours")
    return found


def _check_same(value: dict[str, Any], stored: dict[str, Any]) -> None:
    if _bare(value) != _bare(stored):
        raise InvalidParam("The signed keys are not those that were uploaded")


def _bare(keys: dict[str, Any]) -> bytes:
    return canonical_json({name: each for name, each in keys.items() if name not in ("signatures", "unsigned")})
