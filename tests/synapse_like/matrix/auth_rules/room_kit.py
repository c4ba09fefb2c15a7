"""Rooms and events for the tests of the authorization rules: made by hand, with ids that can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from synapse_like.matrix.auth_rules import check_auth
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import ROOM_VERSIONS, RoomVersion

ALL = range(1, 13)
CREATOR, ALICE, BOB, MALLORY = "@creator:a", "@alice:a", "@bob:b", "@mallory:b"
ROOM_ID = "!room:a"
CREATE_ID = "$create:a"

State = dict[tuple[str, str], Event]


def version_of(number: int) -> RoomVersion:
    return ROOM_VERSIONS[str(number)]


def room_id_in(number: int) -> str:
    return "!" + CREATE_ID[1:] if number >= 12 else ROOM_ID


def make_event(
    number: int, event_type: str, sender: str, content: dict[str, Any] | None = None, **fields: Any
) -> Event:
    """An event of this room version; `fields` are further keys of the PDU, and `event_id`."""
    version = version_of(number)
    local, _, server = sender[1:].partition(":")
    local_id = f"{event_type}.{local}.{str(fields.get('state_key')).partition(':')[0]}"
    event_id = fields.pop("event_id", f"${local_id}:{server}")
    pdu: dict[str, Any] = {
        "room_id": room_id_in(number),
        "type": event_type,
        "sender": sender,
        "content": {} if content is None else content,
        "origin_server_ts": 1,
        "depth": 5,
        "prev_events": ["$before:a"],
        "auth_events": [],
        **fields,
    }
    if version.has_chosen_event_ids:
        pdu["event_id"] = event_id
        for key in ("prev_events", "auth_events"):
            pdu[key] = [[reference, {}] for reference in pdu[key]]
    return Event.restored(event_id, pdu, version)


def make_create(number: int, **content: Any) -> Event:
    """The create event of the room, valid unless `content` spoils it."""
    full: dict[str, Any] = {"room_version": str(number)}
    if number < 11:
        full["creator"] = CREATOR
    event = make_event(
        number, "m.room.create", CREATOR, full | content, state_key="", prev_events=[], event_id=CREATE_ID
    )
    if number >= 12:
        del event.pdu["room_id"]
    return event


def make_room(
    number: int,
    *,
    members: dict[str, str] | None = None,
    join_rule: str | None = "invite",
    levels: dict[str, Any] | None = None,
    create: dict[str, Any] | None = None,
    more: tuple[Event, ...] = (),
) -> State:
    """The state of a room in which the creator is joined; `levels` is the content of its power levels, if any."""
    events = [make_create(number, **(create or {})), *more]
    for user_id, membership in ({CREATOR: "join"} | (members or {})).items():
        events.append(make_event(number, "m.room.member", user_id, {"membership": membership}, state_key=user_id))
    if join_rule is not None:
        events.append(make_event(number, "m.room.join_rules", CREATOR, {"join_rule": join_rule}, state_key=""))
    if levels is not None:
        events.append(make_event(number, "m.room.power_levels", CREATOR, levels, state_key=""))
    return {event.key: event for event in events}


def make_member(number: int, sender: str, target: str, membership: str, **content: Any) -> Event:
    """A membership event."""
    return make_event(number, "m.room.member", sender, {"membership": membership} | content, state_key=target)


@dataclass(frozen=True)
class Case:
    """One line of a table: in these versions, in such a room, this is allowed, or refused for a reason.

    `refused` is a part of the error's text, None if the event is allowed. `event` are the arguments of `make_event`
    behind the version.
    """

    name: str
    event: tuple[Any, ...]
    refused: str | None = None
    versions: range = ALL
    fields: dict[str, Any] = field(default_factory=dict)
    room: dict[str, Any] = field(default_factory=dict)

    def check(self, number: int) -> None:
        event = make_event(number, *self.event, **self.fields)
        verdict(event, make_room(number, **self.room), self.refused)


def member_case(
    name: str,
    event: tuple[str, str, str],
    refused: str | None = None,
    *,
    versions: range = ALL,
    content: dict[str, Any] | None = None,
    **room: Any,
) -> Case:
    """A case about (sender, target, membership)."""
    sender, target, membership = event
    full = {"membership": membership} | (content or {})
    return Case(name, ("m.room.member", sender, full), refused, versions, {"state_key": target}, room)


def verdict(event: Event, state: State, refused: str | None) -> None:
    """Assert that the event is allowed, or refused with this in the reason."""
    if refused is None:
        check_auth(event, state)
    else:
        with pytest.raises(AuthError, match=refused):
            check_auth(event, state)


def table(cases: list[Case]) -> pytest.MarkDecorator:
    """Run a test for each case in each of its versions."""
    return pytest.mark.parametrize(
        ("case", "number"),
        [pytest.param(case, number, id=f"v{number}-{case.name}") for case in cases for number in case.versions],
    )
