"""The SQL of accounts."""

from collections.abc import Sequence

from replication.ports import Transaction
from synapse_like.features.accounts.facts import AccountFact, Applicant

_FLAGS = "is_guest, is_admin, is_deactivated, is_erased, is_locked, is_suspended"

_RESERVE = """
    INSERT INTO users (
        user_id, password_hash, created_ms, user_type, is_guest, is_admin, is_deactivated, is_erased, is_locked,
        is_suspended, is_departing, number
    )
    VALUES (:user_id, :password_hash, :now_ms, :user_type, :is_guest, :is_admin, 0, 0, 0, 0, 0, 0)
    ON CONFLICT (user_id) DO NOTHING
"""

_UNRESERVE = "DELETE FROM users WHERE user_id = :user_id AND number = 0"

_STORE = """
    WITH changed (
        user_id, is_guest, is_admin, is_deactivated, is_erased, is_locked, is_suspended, number
    ) AS (VALUES :rows)
    UPDATE users SET
        is_guest = changed.is_guest, is_admin = changed.is_admin, is_deactivated = changed.is_deactivated,
        is_erased = changed.is_erased, is_locked = changed.is_locked, is_suspended = changed.is_suspended,
        number = changed.number
    FROM changed WHERE users.user_id = changed.user_id
"""

_LOAD = f"SELECT user_id, {_FLAGS}, number FROM users WHERE number > :after AND number <= :upto ORDER BY number"

_GET = f"SELECT user_id, {_FLAGS}, number FROM users WHERE user_id = :user_id"

_EXISTING = "SELECT user_id FROM users WHERE user_id IN :user_ids"

_PASSWORD = "SELECT password_hash FROM users WHERE user_id = :user_id AND is_deactivated = 0"

_SET_PASSWORD = "UPDATE users SET password_hash = :password_hash WHERE user_id = :user_id"

_CLOSE = "UPDATE users SET password_hash = NULL, is_departing = 1 WHERE user_id = :user_id"

_DEPARTED = "UPDATE users SET is_departing = 0 WHERE user_id = :user_id"

_DEPARTING = "SELECT user_id, is_erased FROM users WHERE is_departing = 1 ORDER BY user_id LIMIT 1000"


def reserve(transaction: Transaction, applicant: Applicant, now_ms: int) -> bool:
    """Take a name for ever; False if it is taken."""
    added = transaction.run(
        _RESERVE,
        user_id=applicant.user_id,
        password_hash=applicant.password_hash,
        now_ms=now_ms,
        user_type=applicant.user_type,
        is_guest=int(applicant.is_guest),
        is_admin=int(applicant.is_admin),
    )
    return added == 1


def unreserve(transaction: Transaction, user_id: str) -> None:
    """Give an id up that was reserved, and has not become an account."""
    transaction.run(_UNRESERVE, user_id=user_id)


def store(transaction: Transaction, facts: Sequence[AccountFact]) -> None:
    """Write the newest fact of each account."""
    newest = {fact.user_id: fact for fact in facts}
    transaction.rows(
        _STORE,
        [
            (
                fact.user_id,
                int(fact.is_guest),
                int(fact.is_admin),
                int(fact.is_deactivated),
                int(fact.is_erased),
                int(fact.is_locked),
                int(fact.is_suspended),
                fact.number,
            )
            for fact in newest.values()
        ],
    )


def load(transaction: Transaction, after: int, upto: int) -> Sequence[AccountFact]:
    """The accounts that changed last in a part of a log."""
    return [_fact(*row) for row in transaction.all(_LOAD, after=after, upto=upto)]


def get(transaction: Transaction, user_id: str) -> AccountFact | None:
    """An account."""
    row = transaction.one(_GET, user_id=user_id)
    return None if row is None else _fact(*row)


def existing(transaction: Transaction, user_ids: Sequence[str]) -> list[str]:
    """Those of the users who have an account, closed ones included."""
    return [row[0] for row in transaction.all(_EXISTING, user_ids=user_ids)]


def password_hash(transaction: Transaction, user_id: str) -> str | None:
    """The stored hash of a user's password; None if there is none or the account is closed."""
    row = transaction.one(_PASSWORD, user_id=user_id)
    return None if row is None else row[0]


def set_password(transaction: Transaction, user_id: str, hashed: str) -> None:
    """Store the hash of a new password."""
    transaction.run(_SET_PASSWORD, user_id=user_id, password_hash=hashed)


def close(transaction: Transaction, user_id: str) -> None:
    """Take the password away, and note that the user has to leave everywhere."""
    transaction.run(_CLOSE, user_id=user_id)


def departed(transaction: Transaction, user_id: str) -> None:
    """The user has left everywhere."""
    transaction.run(_DEPARTED, user_id=user_id)


def departing(transaction: Transaction) -> list[tuple[str, bool]]:
    """(user, whether erased) of closed accounts whose users have not left everywhere."""
    return [(user_id, bool(is_erased)) for user_id, is_erased in transaction.all(_DEPARTING)]


def _fact(
    user_id: str, guest: int, admin: int, deactivated: int, erased: int, locked: int, suspended: int, number: int
) -> AccountFact:
    return AccountFact(
        number=number,
        user_id=user_id,
        is_guest=bool(guest),
        is_admin=bool(admin),
        is_deactivated=bool(deactivated),
        is_erased=bool(erased),
        is_locked=bool(locked),
        is_suspended=bool(suspended),
    )
