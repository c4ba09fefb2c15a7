"""The redaction algorithm: what is left of a PDU when its content is taken away, in every room version.

Here lives the pure function. Who may redact, and what clients see of a redacted event, is told elsewhere.
Source: Room Versions, "Redactions" (versions 1, 6, 8, 9 and 11 changed it; MSC2176, MSC3821).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.room_versions import RoomVersion

_TOP_LEVEL_V11 = (
    "auth_events",
    "content",
    "depth",
    "event_id",
    "hashes",
    "origin_server_ts",
    "prev_events",
    "room_id",
    "sender",
    "signatures",
    "state_key",
    "type",
)
_TOP_LEVEL = (*_TOP_LEVEL_V11, "membership", "origin", "prev_state")

_POWER_LEVELS = ("ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default")


def redact(pdu: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
    """The redacted form of a PDU: a new dict that shares the values it keeps.

    `unsigned` is not kept: it is no part of what is signed, and what a server adds there it adds at reading time.
    """
    kept = _TOP_LEVEL_V11 if version.updated_redaction_rules else _TOP_LEVEL
    redacted = {key: pdu[key] for key in kept if key in pdu}
    redacted["content"] = _redacted_content(pdu.get("type"), pdu.get("content"), version)
    return redacted


def _redacted_content(event_type: Any, content: Any, version: RoomVersion) -> dict[str, Any]:
    if not isinstance(content, dict) or not isinstance(event_type, str):
        return {}
    if event_type == "m.room.create" and version.updated_redaction_rules:
        return dict(content)
    kept = {key: content[key] for key in _kept_keys(event_type, version) if key in content}
    if event_type == "m.room.member" and version.updated_redaction_rules:
        invite = content.get("third_party_invite")
        if isinstance(invite, dict):
            kept["third_party_invite"] = {"signed": invite["signed"]} if "signed" in invite else {}
    return kept


def _kept_keys(event_type: str, version: RoomVersion) -> tuple[str, ...]:
    """The keys of the content that a redacted event of this type keeps as they are."""
    match event_type:
        case "m.room.member":
            return ("membership", "join_authorised_via_users_server")[: 1 + version.redaction_keeps_join_authoriser]
        case "m.room.create":
            return ("creator",)
        case "m.room.join_rules":
            return ("join_rule", "allow")[: 1 + version.redaction_keeps_join_rule_allow]
        case "m.room.power_levels":
            return (*_POWER_LEVELS, "invite") if version.updated_redaction_rules else _POWER_LEVELS
        case "m.room.history_visibility":
            return ("history_visibility",)
        case "m.room.aliases":
            return ("aliases",) if version.redaction_keeps_aliases else ()
        case "m.room.redaction":
            return ("redacts",) if version.updated_redaction_rules else ()
        case _:
            return ()
