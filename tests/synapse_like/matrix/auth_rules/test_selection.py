"""Which auth events an event must list, and which it must not."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_like.matrix.auth_rules import auth_keys_for, auth_keys_of, check_auth_event_choice
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from tests.synapse_like.matrix.auth_rules.room_kit import (
    ALICE,
    ALL,
    BOB,
    CREATOR,
    make_create,
    make_event,
    make_member,
    make_room,
    version_of,
)

CREATE, LEVELS, RULES = ("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", "")
OFFER = ("m.room.third_party_invite", "tok")
SIGNED = {"third_party_invite": {"signed": {"token": "tok", "mxid": BOB}}}
VOUCHED = {"join_authorised_via_users_server": "@carol:c"}


def member(user_id: str) -> tuple[str, str]:
    return "m.room.member", user_id


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize(
    ("event_type", "state_key", "content", "more"),
    [
        ("m.room.message", None, {}, set()),
        ("m.room.message", None, {"membership": "join"}, set()),
        ("m.room.topic", "", {}, set()),
        ("m.room.member", ALICE, {"membership": "join"}, {RULES}),
        ("m.room.member", BOB, {"membership": "invite"}, {RULES, member(BOB)}),
        ("m.room.member", ALICE, {"membership": "knock"}, {RULES}),
        ("m.room.member", ALICE, {"membership": "leave"}, set()),
        ("m.room.member", BOB, {"membership": "ban"}, {member(BOB)}),
        ("m.room.member", BOB, {"membership": "invite"} | SIGNED, {RULES, member(BOB), OFFER}),
        ("m.room.member", BOB, {"membership": "leave"} | SIGNED, {member(BOB)}),
        ("m.room.member", BOB, {"membership": "invite", "third_party_invite": {"signed": 1}}, {RULES, member(BOB)}),
        ("m.room.member", BOB, {"membership": "invite", "third_party_invite": []}, {RULES, member(BOB)}),
        ("m.room.member", ALICE, {"membership": "join", "join_authorised_via_users_server": 1}, {RULES}),
        ("m.room.member", None, {"membership": "join"}, set()),
    ],
)
def test_keys(number: int, event_type: str, state_key: str | None, content: dict[str, Any], more: set[Any]) -> None:
    keys = auth_keys_for(event_type, ALICE, state_key, content, version_of(number))
    always = {LEVELS, member(ALICE)} | ({CREATE} if number <= 11 else set())
    assert keys == always | more


@pytest.mark.parametrize("number", ALL)
def test_the_one_who_vouches_is_listed_from_version_8_on(number: int) -> None:
    for membership in ("join", "leave"):
        keys = auth_keys_for("m.room.member", ALICE, ALICE, {"membership": membership} | VOUCHED, version_of(number))
        assert (member("@carol:c") in keys) == (number >= 8 and membership == "join")


@pytest.mark.parametrize("number", ALL)
def test_a_create_event_lists_nothing(number: int) -> None:
    assert auth_keys_of(make_create(number)) == set()


def listed(number: int, event: Event) -> list[Event]:
    """The right auth events for an event in a room of CREATOR and ALICE."""
    state = make_room(number, members={ALICE: "join"}, levels={})
    keys = auth_keys_of(event)
    return [found for key, found in state.items() if key in keys]


@pytest.mark.parametrize("number", ALL)
def test_the_right_choice_passes(number: int) -> None:
    for event in (make_event(number, "m.room.message", ALICE), make_member(number, ALICE, BOB, "invite")):
        check_auth_event_choice(event, listed(number, event))
    check_auth_event_choice(make_create(number), [])


@pytest.mark.parametrize("number", ALL)
def test_fewer_auth_events_pass_too(number: int) -> None:
    """What is missing is missing from the state that the event is checked against; only create must be there."""
    event = make_event(number, "m.room.message", ALICE)
    check_auth_event_choice(event, [make_create(number)] if number <= 11 else [])


@pytest.mark.parametrize("number", ALL)
def test_the_create_event_is_listed_up_to_version_11(number: int) -> None:
    event = make_event(number, "m.room.message", ALICE)
    others = [found for found in listed(number, event) if found.type != "m.room.create"]
    if number <= 11:
        with pytest.raises(AuthError, match="does not list the create event"):
            check_auth_event_choice(event, others)
    else:
        check_auth_event_choice(event, others)
        with pytest.raises(AuthError, match="does not authorize it"):
            check_auth_event_choice(event, [*others, make_create(number)])


def topic(number: int, **fields: Any) -> Event:
    return make_event(number, "m.room.topic", CREATOR, state_key="", **fields)


def other_power_levels(number: int) -> Event:
    return make_event(number, "m.room.power_levels", CREATOR, state_key="", event_id="$other:a")


def levels_elsewhere(number: int) -> Event:
    room_id = "!elsewhere:a" if number <= 11 else "!elsewhere"
    return make_event(number, "m.room.power_levels", CREATOR, state_key="", room_id=room_id)


@pytest.mark.parametrize("number", ALL)
def test_wrong_choices(number: int) -> None:
    event = make_event(number, "m.room.message", ALICE)
    right = listed(number, event)
    without_levels = [found for found in right if found.type != "m.room.power_levels"]
    message = make_event(number, "m.room.message", BOB)
    wrong = [
        ([*right, other_power_levels(number)], "two auth events"),
        ([*right, right[0]], "two auth events"),
        ([*right, topic(number)], "does not authorize"),
        ([*right, make_member(number, BOB, BOB, "join")], "does not authorize"),
        ([*right, message], "not a state event"),
        ([*without_levels, levels_elsewhere(number)], "another room"),
    ]
    for auth_events, reason in wrong:
        with pytest.raises(AuthError, match=reason):
            check_auth_event_choice(event, auth_events)


@pytest.mark.parametrize("number", ALL)
def test_rejected_auth_events_reject_what_lists_them(number: int) -> None:
    event = make_event(number, "m.room.message", ALICE)
    auth_events = listed(number, event)
    auth_events[-1].rejected = True
    with pytest.raises(AuthError, match="was rejected"):
        check_auth_event_choice(event, auth_events)
