"""The form of tokens: ``slt_<user>_<secret>_<check>``, and ``slr_...`` for refresh tokens.

``user`` is a keyed hash of the user id, the same for all tokens of a user, by which a proxy can balance; it tells
nothing of the name. ``check`` is a checksum, so that most nonsense needs no look into the database. Stored is only
the SHA-256 of the whole.
"""

import hmac
from hashlib import sha256
from typing import Final
from zlib import crc32

from synapse_like.toolkit.randomness import Randomness

ACCESS: Final = "slt"
REFRESH: Final = "slr"
SECRET_LENGTH: Final = 32
MAX_LENGTH: Final = 1024


class TokenMint:
    """Makes tokens. `key` is a secret of the server."""

    def __init__(self, key: bytes, randomness: Randomness) -> None:
        self._key = sha256(b"tokens\0" + key).digest()
        self._randomness = randomness

    def make(self, kind: str, user_id: str) -> str:
        """A new token of a user."""
        body = f"{kind}_{self.user_part(user_id)}_{self._randomness.random_string(SECRET_LENGTH)}"
        return f"{body}_{_check(body)}"

    def user_part(self, user_id: str) -> str:
        """The part that all tokens of a user have in common: 8 hexadecimal digits."""
        return hmac.new(self._key, user_id.encode(), sha256).hexdigest()[:8]


def hash_of(token: str) -> str:
    """What is stored of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def may_be_token(token: str) -> bool:
    """Whether this can be a token that was given out here; tokens of other forms (imported ones) can."""
    if len(token) > MAX_LENGTH:
        return False
    if not token.startswith((ACCESS + "_", REFRESH + "_")):
        return True
    body, _, check = token.rpartition("_")
    return check == _check(body)


def _check(body: str) -> str:
    return f"{crc32(body.encode('utf-8', 'surrogatepass')):08x}"
