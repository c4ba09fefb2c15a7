"""Password hashes: bcrypt over the password and the pepper, as Synapse stores them.

Who may log in with what is decided by the features; this only makes and checks hashes. Both functions take a good part
of a second on purpose: call them in a thread.
"""

import unicodedata

import bcrypt

DEFAULT_ROUNDS = 12
_MOST_BYTES = 72  # bcrypt looks at no more


def hash_password(password: str, pepper: str = "", rounds: int = DEFAULT_ROUNDS) -> str:
    """Return the hash to store; ``rounds`` is the power of two of bcrypt's work (4 to 31)."""
    return bcrypt.hashpw(_prepared(password, pepper), bcrypt.gensalt(rounds)).decode("ascii")


def is_password(password: str, stored: str, pepper: str = "") -> bool:
    """Whether a stored hash was made of this password. A stored value that is no hash matches nothing."""
    try:
        return bcrypt.checkpw(_prepared(password, pepper), stored.encode("utf-8"))
    except ValueError:
        return False


def _prepared(password: str, pepper: str) -> bytes:
    """Return what bcrypt gets: one spelling of every character, the pepper behind it."""
    return (unicodedata.normalize("NFKC", password) + pepper).encode("utf-8", "surrogatepass")[:_MOST_BYTES]
