"""Signatures: of plain JSON objects, and of events, where the redacted form is signed.

Here lives making and checking them. Which keys a server has, and when they were valid, is known to `federation`.
Source: Appendices, "Signing JSON"; Server-Server API, "Signing Events".
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from synapse_like.matrix.canonical_json import canonical_json, check_canonical
from synapse_like.matrix.errors import BadJson, InvalidParam, UnsafeValue
from synapse_like.matrix.event_checks import check_limits, check_shape
from synapse_like.matrix.events import Event
from synapse_like.matrix.hashes import content_hash, event_id_of_hash, signed_bytes
from synapse_like.matrix.ids import EventID, ServerName, domain_of
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.signing_keys import SigningKey, VerifyKey, decode_base64


def sign_json(value: Mapping[str, Any], server: str, signing_key: SigningKey) -> dict[str, Any]:
    """A copy of the object with our signature added to those that it has; `unsigned` is not covered."""
    return _with_signature(value, server, signing_key, _json_bytes(value))


def verify_json(value: Mapping[str, Any], server: str, verify_key: VerifyKey) -> bool:
    """Whether the object holds a good signature of this server by this key."""
    try:
        message = _json_bytes(value)
    except UnsafeValue:
        return False
    return _verifies(value, server, verify_key, message)


def sign_event(pdu: Mapping[str, Any], version: RoomVersion, server: str, signing_key: SigningKey) -> dict[str, Any]:
    """A copy of a PDU that has its hashes, with our signature added to those that it has."""
    return _with_signature(pdu, server, signing_key, signed_bytes(pdu, version))


def verify_event_signature(pdu: Mapping[str, Any], version: RoomVersion, server: str, verify_key: VerifyKey) -> bool:
    """Whether the PDU, redacted or not, holds a good signature of this server by this key."""
    try:
        message = signed_bytes(pdu, version)
    except UnsafeValue:
        return False
    return _verifies(pdu, server, verify_key, message)


def servers_that_must_sign(event: Event) -> frozenset[ServerName]:
    """The servers without whose good signature the event is dropped.

    They are the sender's server (but not for an invite that follows from a third-party invite, which is made by another
    server and carries a proof of its own); in versions 1 and 2 the one in the event id; from version 8 on the server of
    the user who authorised a restricted join. Raises `BadJson` if that one is no user ID.
    """
    servers = set()
    if not _is_third_party_invite(event):
        servers.add(domain_of(event.sender))
    if event.room_version.has_chosen_event_ids:
        servers.add(domain_of(event.event_id))
    if event.room_version.has_restricted_join and event.membership == "join":
        authoriser = event.content.get("join_authorised_via_users_server")
        if authoriser is not None:
            servers.add(_server_of_authoriser(authoriser))
    return frozenset(servers)


def _is_third_party_invite(event: Event) -> bool:
    return event.membership == "invite" and isinstance(event.content.get("third_party_invite"), dict)


def _server_of_authoriser(authoriser: Any) -> ServerName:
    try:
        return domain_of(authoriser)
    except (InvalidParam, AttributeError) as error:
        raise BadJson("join_authorised_via_users_server is not a user ID") from error


def build_event(
    draft: Mapping[str, Any], *, room_version: RoomVersion, signing_key: SigningKey, server_name: str
) -> Event:
    """The finished event of a draft: checked, hashed, signed and named.

    `draft` is a PDU without `hashes` and `signatures`; its references have the form of `Event.reference`, and in
    versions 1 and 2 it holds the `event_id`. Raises `BadJson` and `TooLarge` as `Event.from_pdu` does.
    """
    pdu = {key: value for key, value in draft.items() if key not in ("unsigned", "signatures", "hashes")}
    if room_version.strict_canonical_json:
        check_canonical(pdu)
    pdu["hashes"] = {"sha256": content_hash(pdu)}
    pdu["signatures"] = {}
    check_shape(pdu, room_version)
    message = signed_bytes(pdu, room_version)
    pdu["signatures"] = {server_name: {signing_key.key_id: signing_key.signature(message)}}
    encoded = check_limits(pdu, room_version)
    if room_version.has_chosen_event_ids:
        event_id = EventID(pdu["event_id"])
    else:
        event_id = event_id_of_hash(sha256(message).digest(), room_version)
    return Event(event_id, pdu, room_version, encoded)


def _json_bytes(value: Mapping[str, Any]) -> bytes:
    return canonical_json({key: item for key, item in value.items() if key not in ("signatures", "unsigned")})


def _with_signature(value: Mapping[str, Any], server: str, signing_key: SigningKey, message: bytes) -> dict[str, Any]:
    signatures = dict(value.get("signatures") or {})
    signatures[server] = {**signatures.get(server, {}), signing_key.key_id: signing_key.signature(message)}
    return {**value, "signatures": signatures}


def _verifies(value: Mapping[str, Any], server: str, verify_key: VerifyKey, message: bytes) -> bool:
    signatures = value.get("signatures")
    by_key = signatures.get(server) if isinstance(signatures, dict) else None
    signature = by_key.get(verify_key.key_id) if isinstance(by_key, dict) else None
    if not isinstance(signature, str):
        return False
    try:
        return verify_key.verifies(message, decode_base64(signature))
    except InvalidParam:
        return False
