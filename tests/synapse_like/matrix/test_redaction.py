"""Redaction in every room version."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.redaction import redact
from synapse_like.matrix.room_versions import ROOM_VERSIONS
from tests.kit.pdus import draft, drafts, versions

ALL = [str(number) for number in range(1, 13)]


def since(first):
    return ALL[first - 1 :]


def until(last):
    return ALL[:last]


# type, a key of the content, the versions that keep it
KEPT = [
    ("m.room.message", "body", []),
    ("m.room.member", "membership", ALL),
    ("m.room.member", "displayname", []),
    ("m.room.member", "join_authorised_via_users_server", since(9)),
    ("m.room.create", "creator", ALL),
    ("m.room.create", "m.federate", since(11)),
    ("m.room.create", "room_version", since(11)),
    ("m.room.join_rules", "join_rule", ALL),
    ("m.room.join_rules", "allow", since(8)),
    ("m.room.power_levels", "users", ALL),
    ("m.room.power_levels", "users_default", ALL),
    ("m.room.power_levels", "events", ALL),
    ("m.room.power_levels", "events_default", ALL),
    ("m.room.power_levels", "state_default", ALL),
    ("m.room.power_levels", "ban", ALL),
    ("m.room.power_levels", "kick", ALL),
    ("m.room.power_levels", "redact", ALL),
    ("m.room.power_levels", "invite", since(11)),
    ("m.room.power_levels", "notifications", []),
    ("m.room.history_visibility", "history_visibility", ALL),
    ("m.room.aliases", "aliases", until(5)),
    ("m.room.redaction", "redacts", since(11)),
    ("m.room.redaction", "reason", []),
    ("m.room.join_rule", "join_rule", []),
]


@pytest.mark.parametrize(("event_type", "key", "keeping"), KEPT)
def test_what_is_kept_of_the_content(event_type, key, keeping):
    for name, version in ROOM_VERSIONS.items():
        pdu = draft(version, type=event_type, content={key: "value"})
        assert redact(pdu, version)["content"] == ({key: "value"} if name in keeping else {}), name


@pytest.mark.parametrize("key", ["origin", "membership", "prev_state"])
def test_old_fields_are_kept_until_version_10(key):
    for name, version in ROOM_VERSIONS.items():
        redacted = redact(draft(version, **{key: "value"}), version)
        assert (key in redacted) is (name in until(10)), name


@pytest.mark.parametrize("name", ALL)
def test_other_fields_go_and_the_frame_stays(name):
    version = ROOM_VERSIONS[name]
    frame = draft(version, state_key="", hashes={"sha256": "x"}, signatures={"a": {"b": "c"}}, content={})
    assert redact({**frame, "redacts": "$x", "unsigned": {"age": 1}, "origin_x": 1}, version) == frame


@pytest.mark.parametrize("name", ALL)
def test_the_proof_of_a_third_party_invite(name):
    version = ROOM_VERSIONS[name]
    invite = {"display_name": "bob", "signed": {"token": "t"}}
    content = {"membership": "invite", "third_party_invite": invite}
    kept = redact(draft(version, type="m.room.member", content=content), version)["content"]
    if name in since(11):
        assert kept == {"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}}
    else:
        assert kept == {"membership": "invite"}


@pytest.mark.parametrize("content", [None, [], "text", 1])
def test_content_that_is_no_object_becomes_an_empty_one(content):
    version = ROOM_VERSIONS["11"]
    assert redact({"type": "m.room.member", "content": content}, version)["content"] == {}


@given(st.data(), versions)
def test_redaction_is_idempotent_and_changes_nothing_in_place(data, version):
    pdu = data.draw(drafts(version))
    before = copy.deepcopy(pdu)
    once = redact(pdu, version)
    assert redact(once, version) == once
    assert pdu == before
    assert all(pdu[key] == value for key, value in once.items() if key != "content")
