"""Ed25519 keys in the form in which administrators keep them: signedjson's lines `ed25519 a_XXXX seed`.

Here live keys as text and as objects; reading files and finding randomness is for the caller.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass

from nacl.bindings import crypto_sign_BYTES
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as NaClSigningKey
from nacl.signing import VerifyKey as NaClVerifyKey

from synapse_like.matrix.errors import InvalidParam

SEED_BYTES = 32
_VERSION = re.compile(r"[A-Za-z0-9_]+")


def encode_base64(data: bytes) -> str:
    """Unpadded standard base64."""
    return b64encode(data).rstrip(b"=").decode()


def decode_base64(text: str) -> bytes:
    """The bytes of standard or URL-safe base64, padded or not; raises `InvalidParam` for anything else."""
    translated = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b64decode(translated + "=" * (-len(translated) % 4), validate=True)
    except (Base64Error, ValueError) as error:
        raise InvalidParam("This is not base64") from error


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """The public half of a key. `key_id` is `ed25519:version`."""

    key_id: str
    key: NaClVerifyKey

    @classmethod
    def from_base64(cls, key_id: str, text: str) -> VerifyKey:
        """The key of a server's published base64; raises `InvalidParam` for other algorithms and wrong lengths."""
        if not key_id.startswith("ed25519:"):
            raise InvalidParam(f"{key_id} is not an Ed25519 key")
        data = decode_base64(text)
        if len(data) != SEED_BYTES:
            raise InvalidParam(f"{key_id} is not {SEED_BYTES} bytes long")
        return cls(key_id, NaClVerifyKey(data))

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message was made with the other half of this key."""
        if len(signature) != crypto_sign_BYTES:
            return False
        try:
            self.key.verify(message, signature)
        except BadSignatureError:
            return False
        return True

    def to_base64(self) -> str:
        """The public key as servers publish it."""
        return encode_base64(bytes(self.key))


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and its name. `version` is what stands behind `ed25519:`, such as `a_Pr9k`."""

    version: str
    key: NaClSigningKey

    @classmethod
    def from_seed(cls, version: str, seed: bytes) -> SigningKey:
        """The key of 32 random bytes; raises `InvalidParam` for another length or a version against the grammar."""
        if len(seed) != SEED_BYTES:
            raise InvalidParam(f"The seed of a signing key has {SEED_BYTES} bytes, not {len(seed)}")
        if _VERSION.fullmatch(version) is None:
            raise InvalidParam(f"{version!r} cannot name a signing key: only letters, digits and _")
        return cls(version, NaClSigningKey(seed))

    @property
    def key_id(self) -> str:
        """The name under which signatures stand: `ed25519:version`."""
        return f"ed25519:{self.version}"

    @property
    def verify_key(self) -> VerifyKey:
        """The public half."""
        return VerifyKey(self.key_id, self.key.verify_key)

    def signature(self, message: bytes) -> str:
        """The signature over the message, in unpadded base64."""
        return encode_base64(self.key.sign(message).signature)

    def to_line(self) -> str:
        """The line of a signing key file (without a newline)."""
        return f"ed25519 {self.version} {encode_base64(bytes(self.key))}"


def read_signing_keys(text: str) -> list[SigningKey]:
    """The keys of a signing key file, one per line, the first one being the one to sign with.

    Empty lines and those that begin with # are skipped. Raises `InvalidParam`, naming the line, for anything else,
    and for a file without a key.
    """
    keys = [
        _read_line(number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not keys:
        raise InvalidParam("There is no signing key in the file")
    return keys


def _read_line(number: int, line: str) -> SigningKey:
    words = line.split()
    if len(words) != 3 or words[0] != "ed25519":
        raise InvalidParam(f"Line {number} does not read 'ed25519 version seed'")
    try:
        return SigningKey.from_seed(words[1], decode_base64(words[2]))
    except InvalidParam as error:
        raise InvalidParam(f"Line {number}: {error.message}") from error


def write_signing_keys(keys: list[SigningKey]) -> str:
    """The text of a signing key file."""
    return "".join(key.to_line() + "\n" for key in keys)
