"""Spliced bytes are the JSON that one would build in the plain way."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.client_format import ClientJSON, stripped
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import ROOM_VERSIONS, room_version

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=3)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "transaction_id": st.text(max_size=8),
        "membership": st.sampled_from(("join", "leave", 'odd"one')),
        "relations": OBJECTS,
        "redacted_because": OBJECTS,
        "shows_prev_content": st.booleans(),
        "has_room_id": st.booleans(),
    },
)


def _event(version: str = "11", content: dict[str, Any] | None = None, **fields: Any) -> Event:
    pdu = {
        "type": "m.room.message",
        "sender": "@bob:example.org",
        "room_id": "!room:example.org",
        "content": {"body": "hé\u2028"} if content is None else content,
        "origin_server_ts": 1000,
        "depth": 4,
        "prev_events": [],
        "auth_events": [],
        "hashes": {"sha256": "x"},
        "signatures": {},
        "unsigned": {"age": 5},
        **fields,
    }
    return Event.restored("$event", pdu, room_version(version))


def _plain(event: Event, now_ms: int, unsigned: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": event.type,
        "sender": event.sender,
        "content": event.content,
        "event_id": event.event_id,
        "origin_server_ts": event.origin_server_ts,
        "unsigned": {"age": now_ms - event.origin_server_ts},
    }
    if event.state_key is not None:
        shown["state_key"] = event.state_key
    if options.get("has_room_id"):
        shown["room_id"] = event.room_id
    for key, value in unsigned.items():
        if value is not None and (key != "prev_content" or options.get("shows_prev_content", True)):
            shown["unsigned"][key] = value
    for key, name in (
        ("relations", "m.relations"),
        ("redacted_because",) * 2,
        ("transaction_id",) * 2,
        ("membership",) * 2,
    ):
        if key in options:
            shown["unsigned"][name] = options[key]
    return shown


def _spliced(json: ClientJSON, now_ms: int, options: dict[str, Any]) -> Any:
    parts: dict[str, Any] = {
        key: orjson.dumps(options[key]) for key in ("relations", "redacted_because") if key in options
    }
    return orjson.loads(json.splice(now_ms, **(options | parts)))


@given(
    OBJECTS,
    st.none() | st.text(max_size=5),
    st.integers(0, 2**45),
    st.fixed_dictionaries({"prev_content": st.none() | OBJECTS, "replaces_state": st.none() | st.just("$old")}),
    OPTIONS,
)
def test_splicing_is_building(
    content: dict[str, Any], state_key: str | None, now_ms: int, unsigned: dict[str, Any], options: dict[str, Any]
) -> None:
    event = _event(content=content, **({} if state_key is None else {"state_key": state_key}))
    json = ClientJSON(event, **unsigned)
    assert _spliced(json, now_ms, options) == _plain(event, now_ms, unsigned, options)


def test_both_forms_are_open_at_their_end() -> None:
    json = ClientJSON(_event())
    assert orjson.loads(json.room + b"}") == {**orjson.loads(json.sync + b"}"), "room_id": "!room:example.org"}


@pytest.mark.parametrize("version", ROOM_VERSIONS)
def test_a_redaction_shows_its_target_in_both_places(version: str) -> None:
    target: dict[str, Any] = {"redacts": "$target"}
    is_in_content = room_version(version).redacts_in_content
    references = [["$a", {"sha256": "x"}]] if room_version(version).has_chosen_event_ids else []
    event = _event(
        version,
        {"reason": "spam", **(target if is_in_content else {})},
        type="m.room.redaction",
        prev_events=references,
        **({} if is_in_content else target),
    )
    shown = orjson.loads(ClientJSON(event).splice(1000))
    assert shown["redacts"] == shown["content"]["redacts"] == "$target"
    assert shown["content"]["reason"] == "spam"
    assert is_in_content or "redacts" not in event.content


def test_the_federation_format_is_the_event_with_its_id() -> None:
    event = _event("12", room_id="!hash")
    shown = orjson.loads(ClientJSON.in_federation_format(event).splice(1500, has_room_id=True, transaction_id="t"))
    unsigned = {"age": 500, "transaction_id": "t"}
    assert shown == {**event.pdu, "event_id": "$event", "room_id": "!hash", "unsigned": unsigned}


def test_stripped_state_has_four_keys() -> None:
    shown = orjson.loads(stripped(_event(state_key="", type="m.room.name", content={"name": "n"})))
    assert shown == {"type": "m.room.name", "state_key": "", "sender": "@bob:example.org", "content": {"name": "n"}}


def test_numbers_that_only_old_rooms_allow_are_written() -> None:
    event = _event("5", {"n": 2**70, "half": "\ud800"})
    assert b"1180591620717411303424" in ClientJSON(event).splice(1000)
