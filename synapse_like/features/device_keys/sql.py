"""The SQL of devices' keys, cross-signing keys and signatures."""

from collections.abc import Iterable, Sequence

from replication.ports import Row, Transaction

_SET_DEVICE = """
    INSERT INTO device_keys (user_id, device_id, json) VALUES :rows
    ON CONFLICT (user_id, device_id) DO UPDATE SET json = excluded.json
"""
_DEVICE = """
    SELECT k.json FROM devices d LEFT JOIN device_keys k ON k.user_id = d.user_id AND k.device_id = d.device_id
    WHERE d.user_id = :user_id AND d.device_id = :device_id AND d.is_deleted = 0
"""
_DEVICES = """
    SELECT k.user_id, k.device_id, k.json, d.display_name FROM device_keys k
    JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id AND d.is_deleted = 0
    WHERE k.user_id IN :user_ids ORDER BY k.user_id, k.device_id
"""
_SET_CROSS_SIGNING = """
    INSERT INTO cross_signing_keys (user_id, usage, public_key, json) VALUES :rows
    ON CONFLICT (user_id, usage) DO UPDATE SET public_key = excluded.public_key, json = excluded.json
"""
_CROSS_SIGNING = "SELECT user_id, usage, json FROM cross_signing_keys WHERE user_id IN :user_ids"
_ADD_SIGNATURES = """
    INSERT INTO key_signatures (user_id, key_id, signer_id, signing_key_id, signature) VALUES :rows
    ON CONFLICT (user_id, key_id, signer_id, signing_key_id) DO UPDATE SET signature = excluded.signature
"""
LIST, DEVICE, CROSS_SIGNING, OWN_SIGNATURE, SIGNATURE = PARTS = "list", "device", "usage", "own", "other"
_PUBLISHED = """
    SELECT 'list', user_id, '', '', '', max(number) FROM device_list_changes WHERE user_id IN :user_ids
    GROUP BY user_id
    UNION ALL
    SELECT 'device', k.user_id, k.device_id, d.display_name, k.json, 0 FROM device_keys k
    JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id AND d.is_deleted = 0
    WHERE k.user_id IN :user_ids
    UNION ALL
    SELECT 'usage', user_id, usage, '', json, 0 FROM cross_signing_keys WHERE user_id IN :user_ids
    UNION ALL
    SELECT 'own', user_id, key_id, signing_key_id, signature, 0 FROM key_signatures
    WHERE user_id IN :user_ids AND signer_id = user_id
    UNION ALL
    SELECT 'other', user_id, key_id, signing_key_id, signature, 0 FROM key_signatures
    WHERE signer_id = :asker AND user_id <> :asker
"""
_FORGET_SIGNED = "DELETE FROM key_signatures WHERE user_id = :user_id AND key_id IN :key_ids"
_FORGET_SIGNATURES_BY = """
    DELETE FROM key_signatures WHERE signer_id = :user_id AND signing_key_id IN :signing_key_ids
"""
_FORGET_CROSS_SIGNING = "DELETE FROM cross_signing_keys WHERE user_id = :user_id"
_FORGET_ALL_SIGNATURES = "DELETE FROM key_signatures WHERE user_id = :user_id OR signer_id = :user_id"
_FORGET_DEVICES = "DELETE FROM device_keys WHERE user_id = :user_id AND device_id IN :device_ids"
_WITH_KEYS = "SELECT device_id FROM device_keys WHERE user_id = :user_id AND device_id IN :device_ids"


def set_device(transaction: Transaction, user_id: str, device_id: str, text: str, *, had_keys: bool) -> None:
    """Store a device's keys; signatures of what it had before go."""
    transaction.put(_SET_DEVICE, [(user_id, device_id, text)])
    if had_keys:
        transaction.run(_FORGET_SIGNED, user_id=user_id, key_ids=[device_id])


def device(transaction: Transaction, user_id: str, device_id: str) -> tuple[bool, str | None]:
    """Whether there is such a device, and its keys if it has any."""
    row = transaction.one(_DEVICE, user_id=user_id, device_id=device_id)
    return (False, None) if row is None else (True, row[0])


def devices(transaction: Transaction, user_ids: Sequence[str]) -> list[Row]:
    """(user, device, JSON, display name) of the devices that have keys."""
    return transaction.all(_DEVICES, user_ids=user_ids) if user_ids else []


def devices_with_keys(transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> list[str]:
    """Those of the devices that have keys."""
    return [row[0] for row in transaction.all(_WITH_KEYS, user_id=user_id, device_ids=list(device_ids))]


def set_cross_signing(transaction: Transaction, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Store cross-signing keys: (user, usage, public key, JSON)."""
    transaction.put(_SET_CROSS_SIGNING, rows)


def cross_signing(transaction: Transaction, user_ids: Sequence[str]) -> list[Row]:
    """(user, usage, JSON)."""
    return transaction.all(_CROSS_SIGNING, user_ids=user_ids) if user_ids else []


def add_signatures(transaction: Transaction, rows: Iterable[tuple[str, str, str, str, str]]) -> None:
    """Store signatures: (user, key id, signer, signing key id, signature)."""
    transaction.put(_ADD_SIGNATURES, list(rows))


def published(transaction: Transaction, user_ids: Sequence[str], asker: str) -> list[Row]:
    """What others see of users, and what `asker` has signed of others, as (part, user, ...).

    `LIST`: '', '', '', version. `DEVICE`: device, display name, JSON. `CROSS_SIGNING`: usage, '', JSON.
    `OWN_SIGNATURE`, `SIGNATURE`: key id, signing key id, signature.
    """
    return transaction.all(_PUBLISHED, user_ids=user_ids, asker=asker)


def forget_signatures(
    transaction: Transaction, user_id: str, key_ids: Sequence[str], signing_key_ids: Sequence[str]
) -> None:
    """Delete signatures of keys that were replaced, and those that were made with them."""
    transaction.run(_FORGET_SIGNED, user_id=user_id, key_ids=list(key_ids))
    transaction.run(_FORGET_SIGNATURES_BY, user_id=user_id, signing_key_ids=list(signing_key_ids))


def forget_user(transaction: Transaction, user_id: str) -> None:
    """Delete a user's cross-signing keys, and all signatures of and by that user."""
    transaction.run(_FORGET_CROSS_SIGNING, user_id=user_id)
    transaction.run(_FORGET_ALL_SIGNATURES, user_id=user_id)


def forget_devices(transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
    """Delete the keys of devices that end, with all signatures of them and by them."""
    transaction.run(_FORGET_DEVICES, user_id=user_id, device_ids=list(device_ids))
    forget_signatures(transaction, user_id, device_ids, [f"ed25519:{device_id}" for device_id in device_ids])
