"""Whether a PDU is an event at all: the types of its fields and the limits on its size.

Here live checks that need nothing but the PDU and its room version. Signatures, hashes and authorization rules come
later and elsewhere. Source: Room Versions, "Event format"; Client-Server API, "Size limits".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.canonical_json import MAX_INTEGER, canonical_json, check_canonical
from synapse_like.matrix.errors import BadJson, TooLarge
from synapse_like.matrix.ids import MAX_ID_BYTES, looks_like_room_id, looks_like_user_id
from synapse_like.matrix.room_versions import RoomVersion

MAX_PDU_BYTES = 65_536
"""The most bytes of a PDU as canonical JSON, signatures included."""
MAX_PREV_EVENTS = 20
MAX_AUTH_EVENTS = 10
_MAX_DEPTH_BEFORE_V6 = 2**63 - 1
_LIMITED_FIELDS = ("sender", "room_id", "type", "state_key", "event_id")


def check_pdu(pdu: Mapping[str, Any], version: RoomVersion) -> bytes:
    """Check everything that can be told of a PDU alone, and return its canonical JSON (without `unsigned`).

    Raises `BadJson` for a wrong shape or an unsafe value, `TooLarge` for one of the limits.
    """
    check_shape(pdu, version)
    if version.strict_canonical_json:
        check_canonical(pdu)
    return check_limits(pdu, version)


def check_shape(pdu: Mapping[str, Any], version: RoomVersion) -> None:
    """Raise `BadJson` unless every field of the PDU is there and of its type."""
    for key in ("type", "sender"):
        _expect(isinstance(pdu.get(key), str), key, "a string")
    _expect(isinstance(pdu.get("content"), dict), "content", "an object")
    _expect(_is_integer(pdu.get("origin_server_ts")), "origin_server_ts", "an integer")
    _expect(isinstance(pdu.get("state_key", ""), str), "state_key", "a string")
    _expect(isinstance(pdu.get("unsigned", {}), dict), "unsigned", "an object")
    _check_depth(pdu.get("depth"), version)
    _check_ids(pdu, version)
    _check_references(pdu, version)
    _check_hashes_and_signatures(pdu)


def _check_depth(depth: Any, version: RoomVersion) -> None:
    highest = MAX_INTEGER if version.strict_canonical_json else _MAX_DEPTH_BEFORE_V6
    _expect(_is_integer(depth) and 0 <= depth <= highest, "depth", f"an integer from 0 to {highest}")


def _check_ids(pdu: Mapping[str, Any], version: RoomVersion) -> None:
    _expect(looks_like_user_id(pdu["sender"]), "sender", "a user ID")
    room_id = pdu.get("room_id")
    if version.domainless_room_id and pdu["type"] == "m.room.create" and pdu.get("state_key") == "":
        # Its room id follows from its hash; one that is given all the same is for the authorization rules to reject.
        _expect(room_id is None or isinstance(room_id, str), "room_id", "a string")
    else:
        _expect(isinstance(room_id, str) and looks_like_room_id(room_id), "room_id", "a room ID")
    if version.has_chosen_event_ids:
        event_id = pdu.get("event_id")
        _expect(isinstance(event_id, str) and event_id[:1] == "$" and ":" in event_id, "event_id", "an event ID")


def _check_references(pdu: Mapping[str, Any], version: RoomVersion) -> None:
    is_reference = _is_pair if version.has_chosen_event_ids else _is_event_id
    for key in ("prev_events", "auth_events"):
        references = pdu.get(key)
        _expect(
            isinstance(references, list) and all(is_reference(reference) for reference in references),
            key,
            "a list of references to events",
        )


def _is_event_id(reference: Any) -> bool:
    return isinstance(reference, str) and reference.startswith("$")


def _is_pair(reference: Any) -> bool:
    """Whether this is `[event id, {algorithm: hash}]`, as versions 1 and 2 have it."""
    return (
        isinstance(reference, list)
        and len(reference) == 2
        and _is_event_id(reference[0])
        and isinstance(reference[1], dict)
    )


def _check_hashes_and_signatures(pdu: Mapping[str, Any]) -> None:
    hashes, signatures = pdu.get("hashes"), pdu.get("signatures")
    _expect(isinstance(hashes, dict), "hashes", "an object")
    _expect(
        isinstance(signatures, dict)
        and all(
            isinstance(by_key, dict) and all(isinstance(signature, str) for signature in by_key.values())
            for by_key in signatures.values()
        ),
        "signatures",
        "an object of signatures by server and key",
    )


def check_limits(pdu: Mapping[str, Any], version: RoomVersion) -> bytes:
    """Check the limits on a PDU of the right shape; returns its canonical JSON without `unsigned`.

    Raises `TooLarge` for 65,536 bytes in all and 255 per identifier, type and state key (bytes from version 11 on,
    code points before), `BadJson` for more than 20 previous or 10 auth events.
    """
    for key in _LIMITED_FIELDS:
        value = pdu.get(key)
        if isinstance(value, str) and _is_too_long(value, version):
            raise TooLarge(f"{key} is longer than {MAX_ID_BYTES} bytes")
    for key, most in (("prev_events", MAX_PREV_EVENTS), ("auth_events", MAX_AUTH_EVENTS)):
        if len(pdu[key]) > most:
            raise BadJson(f"{key} has more than {most} entries")
    encoded = canonical_json({key: value for key, value in pdu.items() if key != "unsigned"})
    if len(encoded) > MAX_PDU_BYTES:
        raise TooLarge(f"The event is larger than {MAX_PDU_BYTES} bytes")
    return encoded


def _is_too_long(text: str, version: RoomVersion) -> bool:
    if len(text) > MAX_ID_BYTES:
        return True
    return version.strict_byte_limits and len(text.encode(errors="replace")) > MAX_ID_BYTES


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _expect(is_met: bool, key: str, wanted: str) -> None:
    if not is_met:
        raise BadJson(f"{key} of the event must be {wanted}")
