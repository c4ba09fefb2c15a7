"""The rules for changing m.room.power_levels."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.auth_rules import check_auth
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.power_levels import DEFAULT_LEVELS, PowerLevels
from tests.synapse_like.matrix.auth_rules.room_kit import (
    ALICE,
    ALL,
    BOB,
    CREATOR,
    make_event,
    make_room,
    verdict,
    version_of,
)

BOTH = {ALICE: "join", BOB: "join"}
BASE: dict[str, Any] = {"users": {ALICE: 50, BOB: 20}, "events": {"m.room.power_levels": 20}}


def change(number: int, old: dict[str, Any] | None, new: dict[str, Any], sender: str, refused: str | None) -> None:
    """ALICE has 50 and BOB 20, both may send power levels."""
    before = None if old is None else BASE | old
    event = make_event(number, "m.room.power_levels", sender, BASE | new, state_key="")
    verdict(event, make_room(number, members=BOTH, levels=before), refused)


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("name", DEFAULT_LEVELS)
def test_top_level_properties(number: int, name: str) -> None:
    """Neither the old nor the new level of what is added, changed or removed may exceed the sender's power."""
    change(number, {name: 20}, {name: 21}, BOB, "needs more power")
    change(number, {name: 20}, {name: 19}, BOB, None)
    change(number, {name: 50}, {name: 0}, ALICE, None)
    change(number, {name: 20}, {name: 20}, BOB, None)
    change(number, {}, {name: 21}, BOB, "needs more power")
    change(number, {}, {name: 20}, BOB, None)
    change(number, {name: 20}, {}, BOB, None)
    change(number, {name: 51}, {}, ALICE, "needs more power")


@pytest.mark.parametrize("number", ALL)
def test_events_and_notifications(number: int) -> None:
    """`notifications` are guarded from version 6 on, `events` always."""
    for group in ("events", "notifications"):
        is_guarded = group == "events" or number >= 6
        own = {"m.room.power_levels": 20} if group == "events" else {}

        def entries(levels: dict[str, int], group: str = group, own: dict[str, int] = own) -> dict[str, Any]:
            return {group: own | levels}

        refused = "needs more power" if is_guarded else None
        change(number, entries({"x": 20}), entries({"x": 21}), BOB, refused)
        change(number, entries({"x": 21}), entries({"x": 20}), BOB, refused)
        change(number, entries({"x": 21}), entries({}), BOB, refused)
        change(number, entries({}), entries({"x": 21}), BOB, refused)
        change(number, entries({"x": 20}), entries({"x": 0, "y": 20}), BOB, None)
        change(number, entries({"x": 20}), entries({}), BOB, None)
        change(number, entries({"x": 100}), entries({"x": 100}), BOB, None)


@pytest.mark.parametrize("number", ALL)
def test_users(number: int) -> None:
    """Others with as much power are out of reach; oneself is not, and nobody is raised above oneself."""

    def users(**levels: int) -> dict[str, Any]:
        return {"users": {ALICE: 50, BOB: 20} | {f"@{name}:c": level for name, level in levels.items()}}

    change(number, users(carol=19), users(carol=20), BOB, None)
    change(number, users(carol=19), users(carol=21), BOB, "may not grant")
    change(number, users(carol=20), users(carol=19), BOB, "as much power")
    change(number, users(carol=20), users(), BOB, "as much power")
    change(number, users(carol=19), users(), BOB, None)
    change(number, users(), users(carol=20), BOB, None)
    change(number, users(), users(carol=21), BOB, "may not grant")
    change(number, users(), {"users": {ALICE: 50, BOB: 10}}, BOB, None)
    change(number, users(), {"users": {ALICE: 50}}, BOB, None)
    change(number, users(), {"users": {ALICE: 50, BOB: 21}}, BOB, "may not grant")
    change(number, users(), {"users": {ALICE: 20, BOB: 20}}, BOB, "as much power")
    change(number, users(), {"users": {ALICE: 50}}, ALICE, None)
    change(number, users(), {"users": {BOB: 20}}, ALICE, None)


@pytest.mark.parametrize("number", ALL)
def test_the_first_power_levels_may_say_anything_well_formed(number: int) -> None:
    event = make_event(number, "m.room.power_levels", CREATOR, {"users": {BOB: 500}, "ban": 999}, state_key="")
    check_auth(event, make_room(number))


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize(
    ("users", "refused"),
    [
        ({}, None),
        ({"@x:c": 1}, None),
        ({"@X Y:c": 1}, None),
        (None, "users must be"),
        ([], "users must be"),
        ({"x:c": 1}, "not a user ID"),
        ({"@x": 1}, "not a user ID"),
        ({"@x:c": None}, "must be an integer"),
        ({"@x:c": True}, "must be an integer"),
        ({"@x:c": [1]}, "must be an integer"),
        ({"@x:c": "ten"}, "must be an integer"),
        ({"@x:c": "1_0"}, "must be an integer"),
        ({"@x:c": "1.0"}, "must be an integer"),
        ({"@x:c": "١"}, "must be an integer"),
        ({"@x:c": ""}, "must be an integer"),
        ({"@x:c": math.inf}, "must be an integer"),
        ({"@x:c": math.nan}, "must be an integer"),
    ],
)
def test_users_is_an_object_of_levels_by_user_id(number: int, users: Any, refused: str | None) -> None:
    event = make_event(number, "m.room.power_levels", CREATOR, {"users": users}, state_key="")
    verdict(event, make_room(number), refused)


@pytest.mark.parametrize("number", ALL)
def test_levels_as_strings_and_floats(number: int) -> None:
    """Strings count up to version 9, floats up to version 5."""
    for level in ("10", " +0010 ", "-5"):
        event = make_event(number, "m.room.power_levels", CREATOR, {"users": {BOB: level}}, state_key="")
        verdict(event, make_room(number), None if number <= 9 else "must be an integer")
    event = make_event(number, "m.room.power_levels", CREATOR, {"users": {BOB: 10.9}}, state_key="")
    verdict(event, make_room(number), None if number <= 5 else "must be an integer")


@pytest.mark.parametrize("number", range(1, 10))
def test_a_string_of_the_same_level_is_no_change(number: int) -> None:
    change(number, {"ban": 100}, {"ban": "0100"}, BOB, None)
    change(number, {"ban": "100"}, {"ban": "99"}, BOB, "needs more power")
    change(number, {"users": {ALICE: "50", BOB: 20}}, {"users": {ALICE: 50, BOB: "20"}}, BOB, None)


@pytest.mark.parametrize("number", ALL)
def test_infinite_floats_are_no_levels(number: int) -> None:
    for content in ({"ban": math.inf}, {"events": {"x": math.nan}}):
        event = make_event(number, "m.room.power_levels", CREATOR, content, state_key="")
        if number <= 5:
            verdict(event, make_room(number), "finite")
        elif number >= 10:
            verdict(event, make_room(number), "integer")


@pytest.mark.parametrize("number", ALL)
def test_from_version_10_on_every_level_is_an_integer(number: int) -> None:
    contents: list[dict[str, Any]] = [{name: "50"} for name in DEFAULT_LEVELS]
    contents += [{"ban": None}, {"ban": True}, {"events": None}, {"events": {"x": "1"}}, {"notifications": {"x": None}}]
    for content in contents:
        event = make_event(number, "m.room.power_levels", CREATOR, content, state_key="")
        verdict(event, make_room(number), "integer" if number >= 10 else None)


@pytest.mark.parametrize("number", ALL)
def test_creators_are_not_listed_from_version_12_on(number: int) -> None:
    for listed in (CREATOR, ALICE):
        event = make_event(number, "m.room.power_levels", CREATOR, {"users": {listed: 100}}, state_key="")
        state = make_room(number, members=BOTH, create={"additional_creators": [ALICE]})
        verdict(event, state, "is a creator" if number >= 12 else None)


def test_creators_may_set_any_level() -> None:
    levels = {"users": {BOB: 10**15}, "ban": 10**15, "events": {"x": 10**15}}
    state = make_room(12, members=BOTH, levels=levels)
    check_auth(make_event(12, "m.room.power_levels", CREATOR, {"ban": 1}, state_key=""), state)
    with pytest.raises(AuthError):
        check_auth(make_event(12, "m.room.power_levels", BOB, levels | {"ban": 10**15 + 1}, state_key=""), state)


@given(
    number=st.sampled_from(ALL),
    old=st.dictionaries(st.sampled_from([ALICE, BOB, "@c:c"]), st.integers(-5, 5)),
    new=st.dictionaries(st.sampled_from([ALICE, BOB, "@c:c"]), st.integers(-5, 5)),
)
def test_nobody_gains_power_over_their_betters(number: int, old: dict[str, int], new: dict[str, int]) -> None:
    """Whatever BOB changes: nobody ends up above his old level who was not, and his equals keep theirs."""
    free = {"state_default": -5}
    state = make_room(number, members=BOTH, levels=free | {"users": old})
    event = make_event(number, "m.room.power_levels", BOB, free | {"users": new}, state_key="")
    create, version = state["m.room.create", ""], version_of(number)
    before, after = (PowerLevels(create, {"users": users}, version) for users in (old, new))
    try:
        check_auth(event, state)
    except AuthError:
        return
    power = before.of(BOB)
    for user_id in (ALICE, BOB, "@c:c"):
        if user_id in old or user_id in new:
            assert after.of(user_id) <= max(power, before.of(user_id), 0)
        if user_id != BOB and user_id in old and before.of(user_id) >= power:
            assert after.of(user_id) == before.of(user_id)
