"""What is no event: wrong types, and more than the limits allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import BadJson, TooLarge, UnsafeValue
from synapse_like.matrix.event_checks import check_pdu
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import ROOM_VERSIONS, room_version
from tests.kit.pdus import draft, drafts, safe_json, versions

each_version = pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=ROOM_VERSIONS)
V10, V11, V12 = room_version("10"), room_version("11"), room_version("12")


def pdu(version, **fields):
    return draft(version, **{"hashes": {"sha256": "x"}, "signatures": {"example.org": {"ed25519:1": "x"}}, **fields})


@each_version
def test_a_good_pdu_passes_with_its_bytes(version):
    good = pdu(version, state_key="")
    assert check_pdu({**good, "unsigned": {"age": 1}}, version) == canonical_json(good)


@each_version
@pytest.mark.parametrize(
    "key", "type sender content origin_server_ts depth prev_events auth_events hashes signatures room_id".split()
)
def test_a_missing_field_is_told(version, key):
    with pytest.raises(BadJson, match=key):
        check_pdu(pdu(version, **{key: None}), version)


@each_version
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("type", 1),
        ("sender", "alice"),
        ("sender", "@alice:"),
        ("sender", {}),
        ("content", []),
        ("content", "text"),
        ("origin_server_ts", "now"),
        ("origin_server_ts", True),
        ("origin_server_ts", 1.0),
        ("depth", -1),
        ("depth", "1"),
        ("depth", False),
        ("depth", 2**63),
        ("prev_events", {}),
        ("prev_events", "$x"),
        ("prev_events", [1]),
        ("prev_events", [None]),
        ("prev_events", [["$x"]]),
        ("prev_events", [["x", {}]]),
        ("auth_events", ["no sigil"]),
        ("auth_events", [["$x", {}], 1]),
        ("hashes", []),
        ("signatures", []),
        ("signatures", {"example.org": []}),
        ("signatures", {"example.org": {"ed25519:1": 1}}),
        ("room_id", "room"),
        ("room_id", 1),
        ("room_id", "!\0:example.org"),
        ("state_key", 1),
        ("unsigned", []),
    ],
)
def test_a_wrong_field_is_told(version, key, value):
    with pytest.raises(BadJson, match=key):
        check_pdu(pdu(version, **{key: value}), version)


def test_references_have_the_form_of_their_version():
    with pytest.raises(BadJson):
        check_pdu(pdu(room_version("2"), prev_events=["$x:y"]), room_version("2"))
    with pytest.raises(BadJson):
        check_pdu(pdu(room_version("3"), prev_events=[["$x", {}]]), room_version("3"))


@pytest.mark.parametrize("event_id", [None, "x:y", "$x", 1])
def test_the_chosen_id_of_old_events(event_id):
    with pytest.raises(BadJson, match="event_id"):
        check_pdu(pdu(room_version("1"), event_id=event_id), room_version("1"))


def test_the_depth_is_a_canonical_integer_from_version_6_on():
    assert check_pdu(pdu(room_version("5"), depth=2**53), room_version("5"))
    with pytest.raises(BadJson):
        check_pdu(pdu(room_version("6"), depth=2**53), room_version("6"))
    assert check_pdu(pdu(V12, depth=2**53 - 1), V12)


@each_version
def test_unsafe_numbers_pass_until_version_5(version):
    for number in (0.5, 2**60, 2**90):
        bad = pdu(version, content={"x": [number]})
        if version.strict_canonical_json:
            with pytest.raises(UnsafeValue):
                check_pdu(bad, version)
        else:
            assert Event.from_pdu(bad, version).content == {"x": [number]}


def test_only_the_create_event_of_version_12_has_no_room_id():
    create = {"type": "m.room.create", "state_key": "", "room_id": None}
    assert check_pdu(pdu(V12, **create), V12)
    with pytest.raises(BadJson):
        check_pdu(pdu(V11, **create), V11)
    with pytest.raises(BadJson):
        check_pdu(pdu(V12, **{**create, "state_key": "x"}), V12)


def test_a_room_id_that_a_create_event_gives_is_left_to_the_authorization_rules():
    event = Event.from_pdu(pdu(V12, type="m.room.create", state_key="", room_id="!any:example.org"), V12)
    assert event.room_id == "!" + event.event_id[1:]
    assert event.pdu["room_id"] == "!any:example.org"


@each_version
@pytest.mark.parametrize("key", ["sender", "room_id", "type", "state_key", "event_id"])
def test_255_is_counted_in_bytes_from_version_11_on(version, key):
    if key == "event_id" and not version.has_chosen_event_ids:
        key = "type"
    before, after = {"sender": ("@", ":x.org"), "room_id": ("!", ":x.org"), "event_id": ("$", ":x.org")}.get(
        key, ("", "")
    )
    room = 255 - len(before) - len(after)
    assert check_pdu(pdu(version, **{key: before + "a" * room + after}), version)
    with pytest.raises(TooLarge, match=key):
        check_pdu(pdu(version, **{key: before + "a" * (room + 1) + after}), version)
    wide = pdu(version, **{key: before + "ä" * room + after})
    if version.strict_byte_limits:
        with pytest.raises(TooLarge, match=key):
            check_pdu(wide, version)
    else:
        assert check_pdu(wide, version)


@each_version
def test_the_number_of_references(version):
    reference = pdu(version)["prev_events"][0]
    assert check_pdu(pdu(version, prev_events=[reference] * 20, auth_events=[reference] * 10), version)
    for key, count in (("prev_events", 21), ("auth_events", 11)):
        with pytest.raises(BadJson, match=key):
            check_pdu(pdu(version, **{key: [reference] * count}), version)


@each_version
def test_an_event_has_65536_bytes(version):
    empty = len(check_pdu(pdu(version, content={"body": ""}), version))
    assert len(check_pdu(pdu(version, content={"body": "x" * (65_536 - empty)}), version)) == 65_536
    with pytest.raises(TooLarge):
        check_pdu(pdu(version, content={"body": "x" * (65_537 - empty)}), version)


@given(st.data(), versions)
def test_any_replaced_field_gives_an_event_or_a_matrix_error(data, version):
    """No value in any field makes anything else than an event or one of the two errors."""
    value = data.draw(drafts(version)) | {"hashes": {}, "signatures": {}}
    key = data.draw(st.sampled_from(sorted(value)))
    value[key] = data.draw(safe_json | st.floats() | st.text() | st.integers())
    try:
        event = Event.from_pdu(value, version)
    except (BadJson, TooLarge):
        return
    assert canonical_json(event.pdu) == event.encoded
