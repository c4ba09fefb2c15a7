"""The arithmetic of verifying events: plain functions that run in threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_like.federation.keys.failures import Failure, Flaw
from synapse_like.matrix.errors import InvalidParam, UnsafeValue
from synapse_like.matrix.events import Event
from synapse_like.matrix.hashes import has_valid_content_hash, signed_bytes
from synapse_like.matrix.signing_keys import VerifyKey, decode_base64


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it stands in an event, and the key to check it with."""

    key: VerifyKey
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event to check: of each server that must have signed it, the signatures of which one must be good."""

    event: Event
    signatures: Sequence[Sequence[Signature]]


def check_events(candidates: Sequence[Candidate], with_hashes: bool) -> list[Failure]:
    """Return what is wrong with events; nothing for those that are good."""
    return [failure for candidate in candidates if (failure := _check(candidate, with_hashes)) is not None]


def _check(candidate: Candidate, with_hashes: bool) -> Failure | None:
    event = candidate.event
    try:
        message = signed_bytes(event.pdu, event.room_version)
        for signatures in candidate.signatures:
            if not any(_verifies(message, signature) for signature in signatures):
                names = ", ".join(signature.key.key_id for signature in signatures)
                return Failure(event, Flaw.WRONG_SIGNATURE, f"The signature by {names} is wrong")
        if with_hashes and not has_valid_content_hash(event.pdu):
            return Failure(event, Flaw.WRONG_HASH, "The content hash is wrong")
    except UnsafeValue as error:
        return Failure(event, Flaw.WRONG_SIGNATURE, error.message)
    return None


def _verifies(message: bytes, signature: Signature) -> bool:
    try:
        return signature.key.verifies(message, decode_base64(signature.text))
    except InvalidParam:
        return False
