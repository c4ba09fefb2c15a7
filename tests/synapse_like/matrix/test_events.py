"""Events made from PDUs."""

from __future__ import annotations

import re

import pytest

from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import BadJson
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import ROOM_VERSIONS, room_version
from synapse_like.matrix.signatures import build_event
from tests.kit.pdus import KEY, SERVER, draft

each_version = pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=ROOM_VERSIONS)


def built(version, **fields):
    return build_event(draft(version, **fields), room_version=version, signing_key=KEY, server_name=SERVER)


@each_version
def test_ids_by_version(version):
    event = built(version)
    if version.identifier in ("1", "2"):
        assert event.event_id == "$chosen:" + SERVER == event.pdu["event_id"]
    else:
        alphabet = "A-Za-z0-9+/" if version.identifier == "3" else "A-Za-z0-9_-"
        assert re.fullmatch(rf"\$[{alphabet}]{{43}}", event.event_id)
        assert "event_id" not in event.pdu


def test_version_3_has_slashes_where_version_4_has_underlines():
    for depth in range(1, 40):
        old, new = built(room_version("3"), depth=depth), built(room_version("4"), depth=depth)
        assert old.event_id.translate(str.maketrans("+/", "-_")) == new.event_id


@each_version
def test_fields_and_references(version):
    event = built(version, state_key="", type="m.room.topic")
    received = Event.from_pdu({**event.pdu, "unsigned": {"age": 1}}, version)
    stored = Event.restored(event.event_id, event.pdu, version)
    other = "$other:" + SERVER if version.has_chosen_event_ids else "$" + "h" * 43
    for each in (event, received, stored):
        assert each == event
        assert hash(each) == hash(event)
        assert each.is_state
        assert each.key == ("m.room.topic", "")
        assert each.prev_event_ids == each.auth_event_ids == (other,)
        assert each.room_id == event.pdu["room_id"]
        assert (each.depth, each.origin_server_ts, each.membership, each.redacts) == (7, 1_700_000_000_000, None, None)
        assert "unsigned" not in each.pdu
        assert each.encoded == canonical_json(event.pdu)
        assert not each.rejected
        assert each.event_id in repr(each)


def test_a_message_has_no_key():
    event = built(room_version("12"))
    assert not event.is_state
    with pytest.raises(ValueError, match="not a state event"):
        _ = event.key


@pytest.mark.parametrize(
    ("content", "membership"), [({"membership": "join"}, "join"), ({"membership": 1}, None), ({}, None)]
)
def test_membership(content, membership):
    version = room_version("12")
    assert built(version, type="m.room.member", state_key="@a:b", content=content).membership == membership
    assert built(version, type="m.room.topic", state_key="", content=content).membership is None


@each_version
def test_the_target_of_a_redaction_is_where_the_version_puts_it(version):
    event = built(version, type="m.room.redaction", redacts="$top", content={"redacts": "$inside"})
    assert event.redacts == ("$inside" if version.identifier in ("11", "12") else "$top")
    assert built(version, redacts="$top", content={"redacts": "$inside"}).redacts is None
    assert built(version, type="m.room.redaction", redacts=1, content={"redacts": {}}).redacts is None


@each_version
def test_a_create_event_names_the_room_from_version_12_on(version):
    room_id = None if version.domainless_room_id else "!room:" + SERVER
    fields = {"type": "m.room.create", "state_key": "", "prev_events": [], "auth_events": [], "room_id": room_id}
    create = built(version, **fields)
    assert create.is_create
    assert create.auth_references == ()
    assert create.create_event_id is None
    if version.identifier == "12":
        assert create.room_id == "!" + create.event_id[1:]
        assert "room_id" not in create.pdu
        assert Event.restored(create.event_id, create.pdu, version).room_id == create.room_id
    else:
        assert create.room_id == "!room:" + SERVER
    event = built(version, room_id=create.room_id)
    implied = (create.event_id,) if version.identifier == "12" else ()
    assert event.auth_references == (*event.auth_event_ids, *implied)
    assert event.create_event_id == (create.event_id if version.identifier == "12" else None)


def test_a_create_event_that_is_listed_is_not_implied_twice():
    version = room_version("12")
    event = built(version, auth_events=["$" + "r" * 43])
    assert event.auth_references == ("$" + "r" * 43,)


@each_version
def test_references_to_an_event_are_accepted_in_the_next(version):
    first = built(version)
    second = built(version, prev_events=[first.reference], auth_events=[first.reference])
    assert second.prev_event_ids == second.auth_event_ids == (first.event_id,)
    if version.has_chosen_event_ids:
        assert len(first.reference[1]["sha256"]) == 43


def test_a_redacted_event_stays_rejected():
    event = built(room_version("12"))
    event.rejected = True
    assert event.redacted().rejected
    assert event.redacted().content == {}
    assert event.content == {"body": "hello"}


def test_only_events_equal_events():
    event = built(room_version("12"))
    assert event != event.event_id
    assert len({event, event.redacted(), built(room_version("12"), depth=8)}) == 2


def test_a_pdu_of_a_wrong_shape_is_no_event():
    with pytest.raises(BadJson):
        Event.from_pdu({}, room_version("12"))
