"""The form of keys that clients upload. Source: client-server API, "Device keys", "Key and signature security"."""

from collections.abc import Mapping
from typing import Any, Final

from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, InvalidSignature, TooLarge
from synapse_like.matrix.signatures import verify_json
from synapse_like.matrix.signing_keys import VerifyKey

MAX_KEYS_BYTES: Final = 65_536
MASTER, SELF_SIGNING, USER_SIGNING = "master", "self_signing", "user_signing"

Json = Mapping[str, Any]


def checked_device_keys(keys: Json, user_id: str, device_id: str) -> str:
    """The canonical text of a device's keys, without `unsigned`. Raises InvalidParam, TooLarge."""
    if keys.get("user_id") != user_id or keys.get("device_id") != device_id:
        raise InvalidParam("device_keys must name the user and the device that upload them")
    algorithms = keys.get("algorithms")
    if not isinstance(algorithms, list) or not all(isinstance(each, str) for each in algorithms):
        raise InvalidParam("device_keys.algorithms must be a list of strings")
    _check_texts(keys.get("keys"), "device_keys.keys")
    _check_signatures(keys, "device_keys.signatures")
    return canonical_text(keys)


def canonical_text(keys: Json) -> str:
    """The text in which keys are stored and compared. Raises TooLarge."""
    text = canonical_json({name: value for name, value in keys.items() if name != "unsigned"})
    if len(text) > MAX_KEYS_BYTES:
        raise TooLarge("These keys are too large")
    return text.decode()


def verify_key_of(keys: Json, usage: str, user_id: str) -> VerifyKey:
    """The key in a cross-signing key object. Raises InvalidParam for anything that is none of this user and usage."""
    name = f"{usage}_key"
    if keys.get("user_id") != user_id:
        raise InvalidParam(f"{name}.user_id must be the user who uploads it")
    usages = keys.get("usage")
    if not isinstance(usages, list) or usage not in usages:
        raise InvalidParam(f"{name}.usage must hold {usage!r}")
    _check_texts(keys.get("keys"), f"{name}.keys")
    _check_signatures(keys, f"{name}.signatures")
    if len(keys["keys"]) != 1:
        raise InvalidParam(f"{name}.keys must hold one key")
    return _verify_key(keys["keys"])


def public_part(keys: Json) -> str:
    """What stands behind the colon in the id of a cross-signing key's key."""
    return str(next(iter(keys["keys"])).partition(":")[2])


def check_signed_by(keys: Json, name: str, user_id: str, key: VerifyKey) -> None:
    """Raise InvalidSignature unless the keys are signed with this key."""
    if not verify_json(keys, user_id, key):
        raise InvalidSignature(f"{name} is not signed with {key.key_id}")


def _verify_key(keys: Mapping[str, str]) -> VerifyKey:
    ((key_id, text),) = keys.items()
    if key_id != f"ed25519:{text}":
        raise InvalidParam("A cross-signing key must have an ID of ed25519: and the key itself")
    return VerifyKey.from_base64(key_id, text)


def _check_texts(value: Any, name: str) -> None:
    if not isinstance(value, dict) or not value or not all(isinstance(each, str) for each in value.values()):
        raise InvalidParam(f"{name} must be an object of strings")


def _check_signatures(keys: Json, name: str) -> None:
    signatures = keys.get("signatures", {})
    if not isinstance(signatures, dict) or not all(isinstance(each, dict) for each in signatures.values()):
        raise InvalidParam(f"{name} must be an object of objects")
