"""The SQL of devices and tokens."""

from collections.abc import Sequence

from replication.ports import Transaction
from synapse_like.features.sessions.facts import (
    AccessToken,
    Device,
    DeviceFact,
    FoundToken,
    RefreshToken,
    RevocationFact,
    Sighting,
)

_STORE_DEVICES = """
    INSERT INTO devices (user_id, device_id, display_name, changed_ms, is_deleted, number) VALUES :rows
    ON CONFLICT (user_id, device_id) DO UPDATE SET
        display_name = excluded.display_name, changed_ms = excluded.changed_ms,
        is_deleted = excluded.is_deleted, number = excluded.number
"""

_LOAD_DEVICES = """
    SELECT user_id, device_id, display_name, changed_ms, is_deleted, number FROM devices
    WHERE number > :after AND number <= :upto ORDER BY number
"""

_STORE_REVOCATIONS = """
    INSERT INTO token_revocations (user_id, number) VALUES :rows
    ON CONFLICT (user_id) DO UPDATE SET number = excluded.number
"""

_LOAD_REVOCATIONS = """
    SELECT user_id, number FROM token_revocations WHERE number > :after AND number <= :upto ORDER BY number
"""

_DEVICES = """
    SELECT devices.device_id, devices.display_name, seen.seen_ms, seen.ip, seen.user_agent
    FROM devices LEFT JOIN device_sightings AS seen
        ON seen.user_id = devices.user_id AND seen.device_id = devices.device_id
    WHERE devices.user_id = :user_id AND devices.is_deleted = 0
    ORDER BY devices.device_id
"""

_DEVICE = """
    SELECT devices.device_id, devices.display_name, seen.seen_ms, seen.ip, seen.user_agent
    FROM devices LEFT JOIN device_sightings AS seen
        ON seen.user_id = devices.user_id AND seen.device_id = devices.device_id
    WHERE devices.user_id = :user_id AND devices.device_id = :device_id AND devices.is_deleted = 0
"""

_STALE_DEVICES = """
    SELECT devices.user_id, devices.device_id FROM devices LEFT JOIN device_sightings AS seen
        ON seen.user_id = devices.user_id AND seen.device_id = devices.device_id
    WHERE devices.is_deleted = 0 AND devices.changed_ms < :before_ms AND coalesce(seen.seen_ms, 0) < :before_ms
    ORDER BY devices.user_id, devices.device_id LIMIT 5000
"""

_PURGE_DEVICES = "DELETE FROM devices WHERE is_deleted = 1 AND changed_ms < :before_ms"

_STORE_SIGHTINGS = """
    INSERT INTO device_sightings (user_id, device_id, seen_ms, ip, user_agent) VALUES :rows
    ON CONFLICT (user_id, device_id) DO UPDATE SET
        seen_ms = excluded.seen_ms, ip = excluded.ip, user_agent = excluded.user_agent
"""

_FORGET_SIGHTINGS = "DELETE FROM device_sightings WHERE user_id = :user_id AND device_id IN :device_ids"

_TOKEN_COLUMNS = "token_hash, token_id, user_id, device_id, created_ms, valid_until_ms, refresh_id, replaces"

_ADD_ACCESS_TOKEN = f"""
    INSERT INTO access_tokens ({_TOKEN_COLUMNS}, validated_ms)
    VALUES (
        :token_hash, :token_id, :user_id, :device_id, :created_ms, :valid_until_ms, :refresh_id, :replaces,
        :validated_ms
    )
"""

# One query for the first request after a restart, hence the accounts and the shards.
_ACCESS_TOKENS = """
    SELECT token_hash, token_id, token.user_id, device_id, token.created_ms, valid_until_ms, refresh_id, replaces,
        shards.shard, is_guest, is_admin, is_deactivated, is_locked, is_suspended
    FROM access_tokens AS token JOIN users ON users.user_id = token.user_id
    LEFT JOIN user_shards AS shards ON shards.user_id = token.user_id
    WHERE token_hash IN :token_hashes
"""

_REFRESH_COLUMNS = "token_hash, refresh_id, user_id, device_id, created_ms, valid_until_ms, session_until_ms, replaces"

_ADD_REFRESH_TOKEN = f"""
    INSERT INTO refresh_tokens ({_REFRESH_COLUMNS})
    VALUES (
        :token_hash, :refresh_id, :user_id, :device_id, :created_ms, :valid_until_ms, :session_until_ms, :replaces
    )
"""

_REFRESH_TOKEN = f"SELECT {_REFRESH_COLUMNS} FROM refresh_tokens WHERE token_hash = :token_hash"

_VALIDATED = "SELECT validated_ms FROM access_tokens WHERE token_id = :token_id"

_SET_VALIDATED = "UPDATE access_tokens SET validated_ms = :now_ms WHERE token_id = :token_id"

_END_ACCESS = "DELETE FROM access_tokens WHERE user_id = :user_id AND device_id IN :device_ids"

_END_REFRESH = "DELETE FROM refresh_tokens WHERE user_id = :user_id AND device_id IN :device_ids"

_END_REPLACED_ACCESS = """
    DELETE FROM access_tokens WHERE user_id = :user_id AND device_id = :device_id
        AND (refresh_id = :replaced OR (replaces = :replaced AND refresh_id <> :kept))
"""

_END_REPLACED_REFRESH = """
    DELETE FROM refresh_tokens WHERE user_id = :user_id AND device_id = :device_id
        AND (refresh_id = :replaced OR (replaces = :replaced AND refresh_id <> :kept))
"""

_SETTLE_ACCESS = """
    UPDATE access_tokens SET replaces = NULL
    WHERE user_id = :user_id AND device_id = :device_id AND replaces = :replaced
"""

_SETTLE_REFRESH = """
    UPDATE refresh_tokens SET replaces = NULL
    WHERE user_id = :user_id AND device_id = :device_id AND replaces = :replaced
"""


def store_devices(transaction: Transaction, facts: Sequence[DeviceFact]) -> None:
    """Write the newest fact of each device."""
    newest = {(fact.user_id, fact.device_id): fact for fact in facts}
    transaction.rows(
        _STORE_DEVICES,
        [
            (fact.user_id, fact.device_id, fact.display_name, fact.changed_ms, int(fact.is_deleted), fact.number)
            for fact in newest.values()
        ],
    )


def load_devices(transaction: Transaction, after: int, upto: int) -> Sequence[DeviceFact]:
    """The devices that changed last in a part of a log."""
    return [
        DeviceFact(
            number=number,
            user_id=user_id,
            device_id=device_id,
            display_name=display_name,
            changed_ms=changed_ms,
            is_deleted=bool(is_deleted),
        )
        for user_id, device_id, display_name, changed_ms, is_deleted, number in transaction.all(
            _LOAD_DEVICES, after=after, upto=upto
        )
    ]


def store_revocations(transaction: Transaction, facts: Sequence[RevocationFact]) -> None:
    """Note whose tokens were revoked."""
    newest = {fact.user_id: fact.number for fact in facts}
    transaction.rows(_STORE_REVOCATIONS, list(newest.items()))


def load_revocations(transaction: Transaction, after: int, upto: int) -> Sequence[RevocationFact]:
    """Whose tokens were revoked last in a part of a log."""
    rows = transaction.all(_LOAD_REVOCATIONS, after=after, upto=upto)
    return [RevocationFact(number=number, user_id=user_id) for user_id, number in rows]


def devices(transaction: Transaction, user_id: str) -> list[Device]:
    """A user's devices."""
    return [_device(*row) for row in transaction.all(_DEVICES, user_id=user_id)]


def device(transaction: Transaction, user_id: str, device_id: str) -> Device | None:
    """One device of a user."""
    row = transaction.one(_DEVICE, user_id=user_id, device_id=device_id)
    return None if row is None else _device(*row)


def stale_devices(transaction: Transaction, before_ms: int) -> list[tuple[str, str]]:
    """(user, device) of devices that neither changed nor were seen since a time."""
    return [(row[0], row[1]) for row in transaction.all(_STALE_DEVICES, before_ms=before_ms)]


def purge_devices(transaction: Transaction, before_ms: int) -> int:
    """Forget devices that were deleted long ago; how many."""
    return transaction.run(_PURGE_DEVICES, before_ms=before_ms)


def store_sightings(transaction: Transaction, seen: Sequence[tuple[str, str, int, str, str]]) -> None:
    """Write (user, device, time in ms, address, agent) of devices that were seen."""
    transaction.rows(_STORE_SIGHTINGS, seen)


def add_access_token(transaction: Transaction, token: AccessToken, validated_ms: int) -> None:
    """Store an access token."""
    transaction.run(
        _ADD_ACCESS_TOKEN,
        token_hash=token.token_hash,
        token_id=token.token_id,
        user_id=token.user_id,
        device_id=token.device_id,
        created_ms=token.created_ms,
        valid_until_ms=token.valid_until_ms,
        refresh_id=token.refresh_id,
        replaces=token.replaces,
        validated_ms=validated_ms,
    )


def access_tokens(transaction: Transaction, token_hashes: Sequence[str]) -> dict[str, FoundToken]:
    """Those of the access tokens that are stored, by their hashes, with what is known of their users."""
    rows = transaction.all(_ACCESS_TOKENS, token_hashes=token_hashes)
    return {row[0]: FoundToken(AccessToken(*row[:8]), row[8], *map(bool, row[9:])) for row in rows}


def add_refresh_token(transaction: Transaction, token: RefreshToken) -> None:
    """Store a refresh token."""
    transaction.run(
        _ADD_REFRESH_TOKEN,
        token_hash=token.token_hash,
        refresh_id=token.refresh_id,
        user_id=token.user_id,
        device_id=token.device_id,
        created_ms=token.created_ms,
        valid_until_ms=token.valid_until_ms,
        session_until_ms=token.session_until_ms,
        replaces=token.replaces,
    )


def refresh_token(transaction: Transaction, token_hash: str) -> RefreshToken | None:
    """A refresh token by its hash."""
    row = transaction.one(_REFRESH_TOKEN, token_hash=token_hash)
    return None if row is None else RefreshToken(*row)


def validated_ms(transaction: Transaction, token_id: int) -> int | None:
    """When the user of a session last proved who they are."""
    row = transaction.one(_VALIDATED, token_id=token_id)
    return None if row is None else int(row[0])


def set_validated(transaction: Transaction, token_id: int, now_ms: int) -> None:
    """Note that the user of a session proved who they are."""
    transaction.run(_SET_VALIDATED, token_id=token_id, now_ms=now_ms)


def end_tokens(transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
    """Delete all tokens of these devices."""
    transaction.run(_END_ACCESS, user_id=user_id, device_ids=list(device_ids))
    transaction.run(_END_REFRESH, user_id=user_id, device_ids=list(device_ids))


def forget_sightings(transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
    """Forget where these devices were seen."""
    transaction.run(_FORGET_SIGHTINGS, user_id=user_id, device_ids=list(device_ids))


def settle(transaction: Transaction, used: AccessToken | RefreshToken) -> None:
    """End the refresh token that `used` replaces, with what else was given out for it."""
    values = {"user_id": used.user_id, "device_id": used.device_id, "replaced": used.replaces}
    transaction.run(_END_REPLACED_ACCESS, kept=used.refresh_id, **values)
    transaction.run(_END_REPLACED_REFRESH, kept=used.refresh_id, **values)
    transaction.run(_SETTLE_ACCESS, **values)
    transaction.run(_SETTLE_REFRESH, **values)


def _device(
    device_id: str, display_name: str | None, seen_ms: int | None, ip: str | None, user_agent: str | None
) -> Device:
    sighting = None if seen_ms is None else Sighting(seen_ms, ip or "", user_agent or "")
    return Device(device_id, display_name, sighting)
