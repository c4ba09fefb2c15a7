"""The twelve versions and what each of them changed."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from synapse_like.matrix.errors import UnsupportedRoomVersion
from synapse_like.matrix.room_versions import DEFAULT_ROOM_VERSION, ROOM_VERSIONS, room_version

CHANGES = {
    "2": {"state_resolution"},
    "3": {"event_format", "redaction_in_auth_rules"},
    "4": {"event_format"},
    "5": {"enforces_key_validity"},
    "6": {
        "special_aliases_rule",
        "redaction_keeps_aliases",
        "limits_notifications_power_levels",
        "strict_canonical_json",
    },
    "7": {"has_knock"},
    "8": {"has_restricted_join", "redaction_keeps_join_rule_allow"},
    "9": {"redaction_keeps_join_authoriser"},
    "10": {"has_knock_restricted", "integer_power_levels"},
    "11": {"updated_redaction_rules", "redacts_in_content", "implicit_creator", "strict_byte_limits"},
    "12": {"event_format", "state_resolution", "privileged_creators", "domainless_room_id"},
}


def test_there_are_twelve():
    assert list(ROOM_VERSIONS) == [str(number) for number in range(1, 13)]
    assert all(version.identifier == name for name, version in ROOM_VERSIONS.items())
    assert DEFAULT_ROOM_VERSION == "12"


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_version_changes(name):
    before, after = asdict(ROOM_VERSIONS[str(int(name) - 1)]), asdict(ROOM_VERSIONS[name])
    assert {trait for trait in after if after[trait] != before[trait]} == CHANGES[name] | {"identifier"}


def test_state_resolution_by_version():
    found = {name: str(version.state_resolution) for name, version in ROOM_VERSIONS.items()}
    assert found == {"1": "v1", "12": "v2.1"} | {str(number): "v2" for number in range(2, 12)}


@pytest.mark.parametrize("name", ["", "0", "13", "v12", "12 ", "org.example.1"])
def test_other_versions_are_unsupported(name):
    with pytest.raises(UnsupportedRoomVersion):
        room_version(name)
