"""The messages between two processes, as msgpack arrays.

A release that only adds trailing fields or new kinds of messages raises MINOR: others pass over what they do not know.
One that others cannot understand raises MAJOR, and such processes refuse each other.
"""

import hmac
from hashlib import sha256
from typing import Final

import msgspec

MAJOR: Final = 1
MINOR: Final = 2
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
NONCE_BYTES: Final = 24


class Hello(msgspec.Struct, array_like=True, tag=1):
    """The first message of each side: its version and name, and a number that the other has to prove itself with."""

    major: int
    minor: int
    name: str
    nonce: bytes


class Proof(msgspec.Struct, array_like=True, tag=2):
    """Proof of the shared secret, over both nonces."""

    mac: bytes


class Call(msgspec.Struct, array_like=True, tag=3):
    """Do this, within a time, on behalf of a request."""

    id: int
    method: str
    timeout_ms: int
    request_id: str
    body: bytes


class Result(msgspec.Struct, array_like=True, tag=4):
    """It is done."""

    id: int
    body: bytes


class Failure(msgspec.Struct, array_like=True, tag=5):
    """It is not done."""

    id: int
    kind: str
    body: bytes


class Cancel(msgspec.Struct, array_like=True, tag=6):
    """Nobody waits for this any more."""

    id: int


class Note(msgspec.Struct, array_like=True, tag=7):
    """News for whoever listens to a topic; nobody answers."""

    topic: str
    body: bytes


class Here(msgspec.Struct, array_like=True, tag=8):
    """A sign of life. Nobody answers; both sides give it again and again. Since MINOR 2."""


Message = Hello | Proof | Call | Result | Failure | Cancel | Note | Here

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    return _ENCODER.encode(message)


def decode(data: bytes) -> Message | None:
    """The message, or None for one of a kind that this release does not know. Raises ValueError for garbage."""
    try:
        return _DECODER.decode(data)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError as error:
        raise ValueError("this is not a message") from error


def proof(secret: bytes, side: bytes, nonces: bytes) -> bytes:
    """What a side (`caller` or `door`) sends to show that it knows the secret."""
    return hmac.new(secret, side + nonces, sha256).digest()
