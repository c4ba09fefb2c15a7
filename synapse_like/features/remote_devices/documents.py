"""What other servers say of their users' devices, read with suspicion. Anything wrong is left out or raises BadJson."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import orjson

from synapse_like.federation.edu_fields import MAX_ID_CHARACTERS, flag, text, whole_number
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import BadJson, MatrixError

MAX_DEVICES: Final = 2_000
MAX_KEYS_BYTES: Final = 65_536
_MAX_NAME: Final = 512


class Update(msgspec.Struct, frozen=True):
    """One device of a user has changed (`keys` None: it has none, or is gone)."""

    device_id: str
    stream_id: int
    previous: tuple[int, ...]
    keys: str | None


class UserKeys(msgspec.Struct, frozen=True):
    """All keys of a user, as JSON; devices' keys hold `unsigned.device_display_name` if a name was told."""

    stream_id: int
    devices: dict[str, str]
    master_key: str | None = None
    self_signing_key: str | None = None


@dataclass(frozen=True, slots=True)
class CrossSigning:
    """Cross-signing keys that have changed."""

    master_key: str | None
    self_signing_key: str | None


def update_in(user_id: str, content: Mapping[str, Any]) -> Update:
    """An m.device_list_update. Raises BadJson."""
    previous = content.get("prev_id", [])
    if not isinstance(previous, list) or len(previous) > 100 or not all(type(each) is int for each in previous):
        raise BadJson("prev_id must be a short list of whole numbers")
    device_id = text(content, "device_id")
    is_deleted = flag(content, "deleted", False)
    name = content.get("device_display_name")
    keys = None if is_deleted else device_keys(user_id, device_id, content.get("keys"), name)
    return Update(device_id, whole_number(content, "stream_id"), tuple(previous), keys)


def user_keys_in(user_id: str, document: Any) -> UserKeys:
    """What GET /user/devices answers. Raises BadJson; single devices that are wrong are left out."""
    if not isinstance(document, dict) or not isinstance(document.get("devices"), list):
        raise BadJson("devices must be a list")
    devices = {}
    for each in document["devices"][:MAX_DEVICES]:
        device_id = each.get("device_id") if isinstance(each, dict) else None
        if isinstance(device_id, str) and len(device_id) <= MAX_ID_CHARACTERS and "\0" not in device_id:
            keys = device_keys(user_id, device_id, each.get("keys"), each.get("device_display_name"))
            if keys is not None:
                devices[device_id] = keys
    return UserKeys(
        whole_number(document, "stream_id"),
        devices,
        cross_signing_key(user_id, document.get("master_key")),
        cross_signing_key(user_id, document.get("self_signing_key")),
    )


def device_keys(user_id: str, device_id: str, keys: Any, name: Any = None) -> str | None:
    """The keys of a device as JSON, if they are those of this user and device."""
    if not isinstance(keys, dict) or keys.get("user_id") != user_id or keys.get("device_id") != device_id:
        return None
    unsigned = keys.get("unsigned")
    if name is None and isinstance(unsigned, dict):
        name = unsigned.get("device_display_name")
    shown = {key: value for key, value in keys.items() if key != "unsigned"}
    shown["unsigned"] = {"device_display_name": name[:_MAX_NAME]} if isinstance(name, str) else {}
    return _text(shown)


def cross_signing_key(user_id: str, key: Any) -> str | None:
    """A cross-signing key as JSON, if it is one of this user's."""
    if not isinstance(key, dict) or key.get("user_id") != user_id or not isinstance(key.get("keys"), dict):
        return None
    return _text(key)


def loaded(value: str) -> Any:
    """The JSON value in a stored text."""
    return orjson.loads(value)


def _text(value: dict[str, Any]) -> str | None:
    try:
        encoded = canonical_json(value)
    except MatrixError:
        return None
    if len(encoded) > MAX_KEYS_BYTES or b"\\u0000" in encoded:
        return None
    return encoded.decode()
