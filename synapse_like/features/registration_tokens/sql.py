"""The SQL of registration tokens."""

from typing import Any, NamedTuple

from replication.ports import Transaction

_COLUMNS = "token, uses_allowed, pending, completed, expiry_ms"

_IS_GOOD = """
    (uses_allowed IS NULL OR pending + completed < uses_allowed) AND (expiry_ms IS NULL OR expiry_ms > :now_ms)
"""

_ALL = f"SELECT {_COLUMNS} FROM registration_tokens ORDER BY token"

_GET = f"SELECT {_COLUMNS} FROM registration_tokens WHERE token = :token"

_ADD = """
    INSERT INTO registration_tokens (token, uses_allowed, pending, completed, expiry_ms)
    VALUES (:token, :uses_allowed, 0, 0, :expiry_ms) ON CONFLICT (token) DO NOTHING
"""

_CHANGE = """
    UPDATE registration_tokens SET uses_allowed = :uses_allowed, expiry_ms = :expiry_ms WHERE token = :token
"""

_DELETE = "DELETE FROM registration_tokens WHERE token = :token"

_DELETE_CLAIMS = "DELETE FROM registration_token_claims WHERE token = :token"

_IS_VALID = f"SELECT 1 FROM registration_tokens WHERE token = :token AND {_IS_GOOD}"

_CLAIM_OF = "SELECT token FROM registration_token_claims WHERE session_id = :session_id"

_TAKE = f"UPDATE registration_tokens SET pending = pending + 1 WHERE token = :token AND {_IS_GOOD}"

_ADD_CLAIM = """
    INSERT INTO registration_token_claims (session_id, token, created_ms) VALUES (:session_id, :token, :now_ms)
"""

_END_CLAIM = "DELETE FROM registration_token_claims WHERE session_id = :session_id"

_GIVE_BACK = "UPDATE registration_tokens SET pending = pending - 1 WHERE token = :token AND pending > 0"

_FINISH = """
    UPDATE registration_tokens SET pending = pending - 1, completed = completed + 1
    WHERE token = :token AND pending > 0
"""

_STALE = """
    SELECT session_id, token FROM registration_token_claims WHERE created_ms < :before_ms ORDER BY token LIMIT 1000
"""


class TokenRow(NamedTuple):
    """A registration token. No `uses_allowed` means any number, no `expiry_ms` for ever."""

    token: str
    uses_allowed: int | None
    pending: int
    completed: int
    expiry_ms: int | None

    def is_valid(self, now_ms: int) -> bool:
        """Whether somebody could register with it now."""
        is_left = self.uses_allowed is None or self.pending + self.completed < self.uses_allowed
        return is_left and (self.expiry_ms is None or self.expiry_ms > now_ms)

    def as_json(self) -> dict[str, Any]:
        """The token as administrators see it."""
        return {
            "token": self.token,
            "uses_allowed": self.uses_allowed,
            "pending": self.pending,
            "completed": self.completed,
            "expiry_time": self.expiry_ms,
        }


def all_tokens(transaction: Transaction) -> list[TokenRow]:
    """Every token."""
    return [TokenRow(*row) for row in transaction.all(_ALL)]


def get(transaction: Transaction, token: str) -> TokenRow | None:
    """One token."""
    row = transaction.one(_GET, token=token)
    return None if row is None else TokenRow(*row)


def add(transaction: Transaction, token: str, uses_allowed: int | None, expiry_ms: int | None) -> bool:
    """Make a token; False if there is one of that text."""
    return transaction.run(_ADD, token=token, uses_allowed=uses_allowed, expiry_ms=expiry_ms) == 1


def change(transaction: Transaction, token: str, uses_allowed: int | None, expiry_ms: int | None) -> None:
    """Change how often and how long a token is good."""
    transaction.run(_CHANGE, token=token, uses_allowed=uses_allowed, expiry_ms=expiry_ms)


def delete(transaction: Transaction, token: str) -> bool:
    """Delete a token; False if there is none."""
    transaction.run(_DELETE_CLAIMS, token=token)
    return transaction.run(_DELETE, token=token) == 1


def is_valid(transaction: Transaction, token: str, now_ms: int) -> bool:
    """Whether somebody could register with the token now."""
    return transaction.one(_IS_VALID, token=token, now_ms=now_ms) is not None


def claim(transaction: Transaction, token: str, session_id: str, now_ms: int) -> bool:
    """Take one use of the token for a registration; False if it is not good. A registration holds one at most."""
    row = transaction.one(_CLAIM_OF, session_id=session_id)
    if row is not None:
        if row[0] == token:
            return True
        transaction.run(_END_CLAIM, session_id=session_id)
        transaction.run(_GIVE_BACK, token=row[0])
    if transaction.run(_TAKE, token=token, now_ms=now_ms) == 0:
        return False
    transaction.run(_ADD_CLAIM, session_id=session_id, token=token, now_ms=now_ms)
    return True


def finish(transaction: Transaction, session_id: str) -> None:
    """The registration has become an account."""
    row = transaction.one(_CLAIM_OF, session_id=session_id)
    if row is not None:
        transaction.run(_END_CLAIM, session_id=session_id)
        transaction.run(_FINISH, token=row[0])


def give_back_stale(transaction: Transaction, before_ms: int) -> None:
    """Give back the uses of registrations that were begun before a time and never finished."""
    for session_id, token in transaction.all(_STALE, before_ms=before_ms):
        transaction.run(_END_CLAIM, session_id=session_id)
        transaction.run(_GIVE_BACK, token=token)
