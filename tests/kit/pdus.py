"""Hypothesis strategies for JSON and PDUs, and a key to sign them with.

Here live the shapes that property tests of the protocol share. Whole rooms are made elsewhere.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from synapse_like.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from synapse_like.matrix.signing_keys import SigningKey

SERVER = "example.org"
KEY = SigningKey.from_seed("a_test", bytes(range(32)))
HASH_ID = "$" + "h" * 43

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
safe_integers = st.integers(-(2**53) + 1, 2**53 - 1)
safe_json = st.recursive(
    st.none() | st.booleans() | safe_integers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
versions = st.sampled_from(list(ROOM_VERSIONS.values()))

_TYPES = (
    "m.room.aliases",
    "m.room.create",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.member",
    "m.room.message",
    "m.room.power_levels",
    "m.room.redaction",
)
_CONTENT_KEYS = (
    "aliases allow ban body creator events events_default history_visibility invite join_authorised_via_users_server "
    "join_rule kick membership notifications redact redacts state_default third_party_invite users users_default"
).split()
_contents = st.dictionaries(
    st.sampled_from(_CONTENT_KEYS) | texts,
    safe_json | st.fixed_dictionaries({"signed": safe_json, "display_name": texts}),
    max_size=5,
)


def draft(version: RoomVersion, **fields: Any) -> dict[str, Any]:
    """A PDU without hashes and signatures; `fields` replace what is given, and None takes a field away."""
    reference = ["$other:" + SERVER, {"sha256": "abc"}] if version.has_chosen_event_ids else HASH_ID
    pdu: dict[str, Any] = {
        "auth_events": [reference],
        "content": {"body": "hello"},
        "depth": 7,
        "origin_server_ts": 1_700_000_000_000,
        "prev_events": [reference],
        "room_id": "!" + "r" * 43 if version.domainless_room_id else "!room:" + SERVER,
        "sender": "@alice:" + SERVER,
        "type": "m.room.message",
    }
    if version.has_chosen_event_ids:
        pdu["event_id"] = "$chosen:" + SERVER
    pdu |= fields
    return {key: value for key, value in pdu.items() if value is not None}


@st.composite
def drafts(draw: st.DrawFn, version: RoomVersion) -> dict[str, Any]:
    """Drafts of many types and contents, with fields that redaction takes away."""
    pdu = draft(version, type=draw(st.sampled_from(_TYPES)), content=draw(_contents))
    if draw(st.booleans()):
        pdu["state_key"] = draw(texts)
    for key in ("origin", "membership", "prev_state", "redacts", "org.example.extra"):
        if draw(st.booleans()):
            pdu[key] = draw(safe_json)
    return pdu
