"""The rules for everything but membership and creation: rooms, aliases, power to send, redactions, invites by token."""

from __future__ import annotations

import pytest

from synapse_like.matrix.auth_rules import check_auth
from synapse_like.matrix.events import Event
from synapse_like.matrix.power_levels import PowerLevels
from tests.synapse_like.matrix.auth_rules.room_kit import (
    ALICE,
    ALL,
    BOB,
    CREATOR,
    Case,
    make_create,
    make_event,
    make_member,
    make_room,
    table,
    verdict,
)

MESSAGE, TOPIC = "m.room.message", "m.room.topic"
BOTH = {ALICE: "join", BOB: "join"}
STATE = {"state_key": ""}


def room(levels: object = None, **more: object) -> dict[str, object]:
    return {"members": BOTH, "levels": levels, **more}


SENDING = [
    Case("message", (MESSAGE, ALICE), room=room()),
    Case("message from outside", (MESSAGE, ALICE), "not in the room"),
    Case("message of an invitee", (MESSAGE, ALICE), "not in the room", room={"members": {ALICE: "invite"}}),
    Case("message of a banned", (MESSAGE, ALICE), "not in the room", room={"members": {ALICE: "ban"}}),
    Case("state without power levels", (TOPIC, ALICE), "needs power level 50", fields=STATE, room=room()),
    Case("state by the creator", (TOPIC, CREATOR), fields=STATE, room=room()),
    Case("events_default", (MESSAGE, ALICE), "needs power level 1", room=room({"events_default": 1})),
    Case("users_default", (MESSAGE, ALICE), room=room({"events_default": 1, "users_default": 1})),
    Case("state_default", (TOPIC, ALICE), fields=STATE, room=room({"state_default": 0})),
    Case("state_default is 50", (TOPIC, ALICE), fields=STATE, room=room({"users": {ALICE: 50}})),
    Case("49 is too little", (TOPIC, ALICE), "needs", fields=STATE, room=room({"users": {ALICE: 49}})),
    Case("events counts for messages", (MESSAGE, ALICE), "needs", room=room({"events": {MESSAGE: 7}})),
    Case("events counts for state", (TOPIC, ALICE), fields=STATE, room=room({"events": {TOPIC: 0}})),
    Case("negative level", (MESSAGE, ALICE), room=room({"events_default": -1, "users": {ALICE: -1}})),
    Case("own state", ("x.state", ALICE), fields={"state_key": ALICE}, room=room({"state_default": 0})),
    Case("state of another", ("x", ALICE), "may not set", fields={"state_key": BOB}, room=room({"state_default": 0})),
    Case("@ alone", ("x", ALICE), "may not set", fields={"state_key": "@"}, room=room({"state_default": 0})),
    Case("another's name without @", ("x", ALICE), fields={"state_key": "bob"}, room=room({"state_default": 0})),
    Case("creators may all", (TOPIC, CREATOR), None, range(12, 13), STATE, room({"state_default": 10**15})),
    Case("creators may not before", (TOPIC, CREATOR), "needs", range(1, 12), STATE, room({"state_default": 101})),
]


@table(SENDING)
def test_sending(case: Case, number: int) -> None:
    case.check(number)


@pytest.mark.parametrize("number", ALL)
def test_without_a_create_event_nothing_is_allowed(number: int) -> None:
    state = make_room(number, members=BOTH)
    del state["m.room.create", ""]
    verdict(make_event(number, MESSAGE, ALICE), state, "no create event")


@pytest.mark.parametrize("number", ALL)
def test_the_event_belongs_to_the_room(number: int) -> None:
    event = make_event(number, MESSAGE, ALICE, room_id="!other:a" if number < 12 else "!other")
    verdict(event, make_room(number, members=BOTH), "different rooms")


def test_the_create_event_of_version_12_is_accepted() -> None:
    state = make_room(12, members=BOTH)
    state["m.room.create", ""].rejected = True
    verdict(make_event(12, MESSAGE, ALICE), state, "accepted create event")


@pytest.mark.parametrize("number", ALL)
def test_rooms_that_do_not_federate(number: int) -> None:
    state = make_room(number, members=BOTH, join_rule="public", create={"m.federate": False})
    verdict(make_event(number, MESSAGE, ALICE), state, None)
    verdict(make_event(number, MESSAGE, BOB), state, "does not federate")
    verdict(make_member(number, BOB, BOB, "join"), state, "does not federate")
    for value in (True, None, "false"):
        federating = make_room(number, members=BOTH, create={"m.federate": value})
        verdict(make_event(number, MESSAGE, BOB), federating, None)


@pytest.mark.parametrize("number", ALL)
def test_aliases(number: int) -> None:
    """Up to version 5 a server may list its aliases without being in the room; later they are plain state."""
    state = make_room(number, levels={"state_default": 0})
    own = make_event(number, "m.room.aliases", BOB, {"aliases": []}, state_key="b")
    foreign = make_event(number, "m.room.aliases", BOB, {"aliases": []}, state_key="a")
    no_state = make_event(number, "m.room.aliases", BOB, {"aliases": []})
    if number <= 5:
        verdict(own, state, None)
        verdict(foreign, state, "its own aliases")
        verdict(no_state, state, "its own aliases")
    else:
        for event in (own, foreign, no_state):
            verdict(event, state, "not in the room")
        verdict(foreign, make_room(number, members=BOTH, levels={"state_default": 0}), None)


@pytest.mark.parametrize("number", ALL)
def test_redactions(number: int) -> None:
    """Versions 1 and 2 judge them at once; later ones let every member send them."""
    state = make_room(number, members=BOTH, levels={"redact": 50, "users": {ALICE: 50}})

    def redaction(sender: str, target: str) -> Event:
        if number >= 11:
            return make_event(number, "m.room.redaction", sender, {"redacts": target})
        return make_event(number, "m.room.redaction", sender, redacts=target)

    refused = "may not redact" if number <= 2 else None
    verdict(redaction(ALICE, "$message:c"), state, None)
    verdict(redaction(BOB, "$message:b"), state, None)
    verdict(redaction(BOB, "$message:c"), state, refused)
    verdict(redaction(BOB, "$message"), state, refused)
    verdict(make_event(number, "m.room.redaction", BOB, {}), state, refused)
    quiet = make_room(number, members=BOTH, levels={"events": {"m.room.redaction": 10}})
    verdict(redaction(BOB, "$message:b"), quiet, "needs power level 10")


@pytest.mark.parametrize("number", ALL)
def test_third_party_invites_need_the_power_to_invite_and_no_other(number: int) -> None:
    event = make_event(number, "m.room.third_party_invite", ALICE, {}, state_key="token")
    verdict(event, make_room(number), "not in the room")
    verdict(event, make_room(number, members=BOTH, levels={"invite": 10}), "may not invite")
    verdict(event, make_room(number, members=BOTH, levels={"invite": 0, "state_default": 50}), None)


@pytest.mark.parametrize("number", ALL)
def test_power_levels_at_hand_are_not_read_again(number: int) -> None:
    state = make_room(number, members=BOTH, levels={"events_default": 99})
    levels = PowerLevels(make_create(number), {"events_default": 0}, make_create(number).room_version)
    check_auth(make_event(number, MESSAGE, ALICE), state, power_levels=levels)
