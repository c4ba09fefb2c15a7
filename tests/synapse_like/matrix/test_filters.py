"""Filters: read strictly, asked often."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.errors import BadJson, InvalidParam, MatrixError, TooLarge
from synapse_like.matrix.events import Event
from synapse_like.matrix.filters import EVERY_EVENT, EVERYTHING, EventFilter, Filter, RoomEventFilter, select_fields
from synapse_like.matrix.property_paths import split_path
from synapse_like.matrix.room_versions import room_version

USERS = ("@alice:example.org", "@bob:example.org")
ROOMS = ("!one:example.org", "!two:example.org")
TYPES = ("m.room.message", "m.room.member", "m.reaction", "m.room.mess?ge", "", "org.example.room.x")
PATTERNS = (*TYPES, "m.*", "*", "m.room.*", "*.x", "m.*.mem*", "m?reaction")


def _event(event_type: str, sender: str, room_id: str, content: dict[str, Any]) -> Event:
    pdu = {
        "type": event_type,
        "sender": sender,
        "room_id": room_id,
        "content": content,
        "origin_server_ts": 1,
        "depth": 1,
        "prev_events": [],
        "auth_events": [],
    }
    return Event.restored("$event", pdu, room_version("10"))


EVENTS = st.builds(
    _event,
    st.sampled_from(TYPES),
    st.sampled_from(USERS),
    st.sampled_from(ROOMS),
    st.sampled_from(({}, {"url": "mxc://x/y"}, {"url": None})),
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "types": st.lists(st.sampled_from(PATTERNS), max_size=3),
        "not_types": st.lists(st.sampled_from(PATTERNS), max_size=2),
        "senders": st.lists(st.sampled_from(USERS), max_size=2),
        "not_senders": st.lists(st.sampled_from(USERS), max_size=1),
        "rooms": st.lists(st.sampled_from(ROOMS), max_size=2),
        "not_rooms": st.lists(st.sampled_from(ROOMS), max_size=1),
        "contains_url": st.booleans(),
        "limit": st.integers(0, 5),
    },
)


def _has_type(patterns: list[str], event: Event) -> bool:
    return any(re.fullmatch(".*".join(map(re.escape, p.split("*"))), event.type, re.DOTALL) for p in patterns)


def _is_allowed(json: dict[str, Any], event: Event) -> bool:
    return (
        ("types" not in json or _has_type(json["types"], event))
        and not _has_type(json.get("not_types", []), event)
        and event.sender in json.get("senders", USERS)
        and event.sender not in json.get("not_senders", ())
        and event.room_id in json.get("rooms", ROOMS)
        and event.room_id not in json.get("not_rooms", ())
        and json.get("contains_url", "url" in event.content) == ("url" in event.content)
    )


@given(FILTERS, EVENTS)
def test_a_room_event_filter_allows_what_its_parts_say(json: dict[str, Any], event: Event) -> None:
    parsed = RoomEventFilter.parse(json)
    assert parsed.allows(event) == _is_allowed(json, event)
    assert not parsed.is_everything or parsed.allows(event)
    assert parsed.limit == 0 or not (parsed.is_nothing and parsed.allows(event))


@given(FILTERS)
def test_a_filter_says_it_is_everything_only_if_nothing_is_named(json: dict[str, Any]) -> None:
    naming = {key for key, value in json.items() if key != "limit" and (value or not key.startswith("not_"))}
    assert RoomEventFilter.parse(json).is_everything == (not naming)


def test_the_empty_filter_is_everything() -> None:
    assert EVERY_EVENT.is_everything
    assert not EVERY_EVENT.is_nothing
    assert EVERYTHING.presence.is_everything
    assert EVERYTHING.event_fields is None
    assert not EVERYTHING.has_federation_format
    assert EVERYTHING.room.allows_room(ROOMS[0])
    assert not EVERYTHING.room.include_leave


def test_a_whole_filter_is_read() -> None:
    json = {
        "event_fields": ["content.body", r"content.m\.mentions"],
        "event_format": "federation",
        "presence": {"not_senders": [USERS[0]]},
        "account_data": {"types": ["m.push*"]},
        "room": {
            "not_rooms": [ROOMS[0]],
            "include_leave": True,
            "state": {"lazy_load_members": True, "include_redundant_members": True},
            "timeline": {"limit": 10, "unread_thread_notifications": True, "related_by_rel_types": ["m.thread"]},
            "org.example.more": 1,
        },
    }
    parsed = Filter.parse(json)
    assert parsed.json == json
    assert parsed.event_fields == (("content", "body"), ("content", "m.mentions"))
    assert parsed.has_federation_format
    assert not parsed.presence.allows_sender(USERS[0])
    assert parsed.account_data.allows_type("m.push_rules")
    assert not parsed.account_data.allows_type("m.direct")
    assert not parsed.room.allows_room(ROOMS[0])
    assert parsed.room.allows_room(ROOMS[1])
    assert parsed.room.include_leave
    assert parsed.room.state.lazy_load_members
    assert parsed.room.state.include_redundant_members
    assert parsed.room.timeline.limit == 10
    assert parsed.room.timeline.unread_thread_notifications
    assert parsed.room.timeline.asks_for_relations
    assert not parsed.room.timeline.is_everything


@pytest.mark.parametrize(
    ("json", "error"),
    [
        ([], BadJson),
        (None, BadJson),
        ({"room": None}, BadJson),
        ({"room": {"state": 1}}, BadJson),
        ({"room": {"rooms": ["#alias:x"]}}, BadJson),
        ({"room": {"timeline": {"rooms": ["x"]}}}, BadJson),
        ({"room": {"timeline": {"senders": ["@x"]}}}, BadJson),
        ({"room": {"timeline": {"types": "m.room.message"}}}, BadJson),
        ({"room": {"timeline": {"types": [1]}}}, BadJson),
        ({"room": {"timeline": {"limit": "1"}}}, BadJson),
        ({"room": {"timeline": {"limit": True}}}, BadJson),
        ({"room": {"timeline": {"limit": 1.5}}}, BadJson),
        ({"room": {"timeline": {"limit": -1}}}, InvalidParam),
        ({"room": {"timeline": {"lazy_load_members": "yes"}}}, BadJson),
        ({"room": {"include_leave": 1}}, BadJson),
        ({"event_format": "xml"}, InvalidParam),
        ({"event_format": []}, InvalidParam),
        ({"event_fields": {}}, BadJson),
        ({"presence": {"types": ["x"] * 1025}}, TooLarge),
        ({"presence": {"types": ["x" * 1025]}}, TooLarge),
    ],
)
def test_what_is_no_filter_is_refused(json: object, error: type[MatrixError]) -> None:
    with pytest.raises(error) as raised:
        Filter.parse(json)
    assert type(raised.value) is error


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(("@a:b", "!r:s", "x")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("room", "types", "limit", "state", "rooms", "event_fields")), inner)
    ),
)


@given(JSON)
def test_any_json_is_read_or_refused_with_a_matrix_error(json: object) -> None:
    try:
        parsed = Filter.parse(json)
    except MatrixError:
        return
    assert parsed.json == json


def test_a_limit_has_a_bound() -> None:
    assert EventFilter.parse({"limit": 10**30}).limit == 2**31 - 1


def test_fields_are_taken_out_of_an_event() -> None:
    event = {"type": "x", "content": {"body": "b", "m.mentions": {"room": True}, "n": None}, "sender": "@a:b"}
    fields = [split_path(text) for text in ("type", "content.body", r"content.m\.mentions.room", "content.n", "gone.x")]
    assert select_fields(event, fields) == {
        "type": "x",
        "content": {"body": "b", "m.mentions": {"room": True}, "n": None},
    }


def test_taking_a_field_and_its_parts_leaves_the_event_alone() -> None:
    event = {"content": {"body": "b", "other": 1}}
    assert select_fields(event, [("content", "body"), ("content",)]) == event
    assert event == {"content": {"body": "b", "other": 1}}
