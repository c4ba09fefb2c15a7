"""The twelve room versions, as one record of traits each; code asks for a trait, never for a number.

Here lives only what differs between versions. What a trait means in detail lives where it is applied: redaction,
events, authorization rules, state resolution. Source: "Room Versions" (content/rooms of the specification).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType

from synapse_like.matrix.errors import UnsupportedRoomVersion


class EventFormat(IntEnum):
    """How a PDU is shaped and named."""

    CHOSEN_ID = 1
    """Versions 1 and 2: the sender's server chooses `$local:server`; references are pairs of id and hashes."""
    BASE64_ID = 2
    """Version 3: the id is the reference hash in standard base64; references are plain ids from here on."""
    URLSAFE_ID = 3
    """Versions 4 to 11: the id is the reference hash in URL-safe base64."""
    HASHED_ROOM_ID = 4
    """Version 12: in addition the room id is the id of the create event, which itself has no `room_id`."""


class StateResolution(StrEnum):
    """The algorithm that merges conflicting states."""

    V1 = "v1"
    V2 = "v2"
    V2_1 = "v2.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomVersion:
    """Everything in which one room version differs from another."""

    identifier: str
    event_format: EventFormat
    state_resolution: StateResolution
    special_aliases_rule: bool = False
    """m.room.aliases is judged by its state key alone (1-5)."""
    redaction_in_auth_rules: bool = False
    """The authorization rules themselves judge who may redact (1 and 2)."""
    limits_notifications_power_levels: bool = False
    """Changes of `notifications` in the power levels need power, as those of `events` do (6+)."""
    strict_canonical_json: bool = False
    """Floats and integers beyond 2^53-1 are refused (6+)."""
    enforces_key_validity: bool = False
    """A signing key counts only while it was valid at the time of the event (5+)."""
    has_knock: bool = False
    """The join rule and membership `knock` exist (7+)."""
    has_restricted_join: bool = False
    """The join rule `restricted` exists (8+)."""
    has_knock_restricted: bool = False
    """The join rule `knock_restricted` exists (10+)."""
    integer_power_levels: bool = False
    """Power levels must be integers, not strings (10+)."""
    redaction_keeps_aliases: bool = False
    """A redacted m.room.aliases keeps `aliases` (1-5)."""
    redaction_keeps_join_rule_allow: bool = False
    """A redacted m.room.join_rules keeps `allow` (8+)."""
    redaction_keeps_join_authoriser: bool = False
    """A redacted m.room.member keeps `join_authorised_via_users_server` (9+)."""
    updated_redaction_rules: bool = False
    """The redaction rules of MSC2176 and MSC3821 (11+)."""
    redacts_in_content: bool = False
    """The target of a redaction is named in `content` instead of the top level (11+)."""
    implicit_creator: bool = False
    """The creator is the sender of the create event; `content.creator` means nothing (11+)."""
    strict_byte_limits: bool = False
    """The 255 of identifiers, types and state keys counts bytes; before, code points are tolerated (11+)."""
    privileged_creators: bool = False
    """Creators have infinite power and must not appear in the power levels (12+)."""
    domainless_room_id: bool = False
    """The room id is the hash of the create event, which is never listed in `auth_events` (12+)."""

    @property
    def has_chosen_event_ids(self) -> bool:
        """Whether the event id is a field of the PDU (1 and 2)."""
        return self.event_format is EventFormat.CHOSEN_ID


_V1 = RoomVersion(
    identifier="1",
    event_format=EventFormat.CHOSEN_ID,
    state_resolution=StateResolution.V1,
    special_aliases_rule=True,
    redaction_in_auth_rules=True,
    redaction_keeps_aliases=True,
)
_V2 = replace(_V1, identifier="2", state_resolution=StateResolution.V2)
_V3 = replace(_V2, identifier="3", event_format=EventFormat.BASE64_ID, redaction_in_auth_rules=False)
_V4 = replace(_V3, identifier="4", event_format=EventFormat.URLSAFE_ID)
_V5 = replace(_V4, identifier="5", enforces_key_validity=True)
_V6 = replace(
    _V5,
    identifier="6",
    special_aliases_rule=False,
    redaction_keeps_aliases=False,
    limits_notifications_power_levels=True,
    strict_canonical_json=True,
)
_V7 = replace(_V6, identifier="7", has_knock=True)
_V8 = replace(_V7, identifier="8", has_restricted_join=True, redaction_keeps_join_rule_allow=True)
_V9 = replace(_V8, identifier="9", redaction_keeps_join_authoriser=True)
_V10 = replace(_V9, identifier="10", has_knock_restricted=True, integer_power_levels=True)
_V11 = replace(
    _V10,
    identifier="11",
    updated_redaction_rules=True,
    redacts_in_content=True,
    implicit_creator=True,
    strict_byte_limits=True,
)
_V12 = replace(
    _V11,
    identifier="12",
    event_format=EventFormat.HASHED_ROOM_ID,
    state_resolution=StateResolution.V2_1,
    privileged_creators=True,
    domainless_room_id=True,
)

ROOM_VERSIONS: Mapping[str, RoomVersion] = MappingProxyType(
    {version.identifier: version for version in (_V1, _V2, _V3, _V4, _V5, _V6, _V7, _V8, _V9, _V10, _V11, _V12)}
)
"""Every room version that this server speaks, by identifier; all of them are stable."""

DEFAULT_ROOM_VERSION = "12"
"""The version of new rooms unless the configuration says otherwise (MSC4304)."""


def room_version(identifier: str) -> RoomVersion:
    """The room version of this name; raises `UnsupportedRoomVersion` for any other name."""
    version = ROOM_VERSIONS.get(identifier)
    if version is None:
        raise UnsupportedRoomVersion(f"This server does not support room version {identifier!r}")
    return version
