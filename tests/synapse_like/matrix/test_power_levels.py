"""Reading power levels, with the defaults and the leniency of each version."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.power_levels import (
    DEFAULT_LEVELS,
    INFINITE,
    PowerLevels,
    parse_level,
    privileged_creators,
    room_creator,
)
from tests.synapse_like.matrix.auth_rules.room_kit import ALICE, ALL, BOB, CREATOR, make_create, version_of


def levels(number: int, content: dict[str, Any] | None, **create: Any) -> PowerLevels:
    return PowerLevels(make_create(number, **create), content, version_of(number))


@pytest.mark.parametrize("number", ALL)
def test_without_power_levels_only_the_creator_has_power(number: int) -> None:
    found = levels(number, None)
    assert not found.is_set
    assert found.of(CREATOR) == (100 if number <= 11 else INFINITE)
    assert found.of(ALICE) == 0
    assert (found.invite, found.kick, found.ban, found.redact) == (0, 50, 50, 50)
    assert (found.to_send("m.x", False), found.to_send("m.x", True), found.notifications("room")) == (0, 50, 50)


@pytest.mark.parametrize("number", ALL)
def test_with_power_levels_only_they_count(number: int) -> None:
    found = levels(
        number, {"users": {ALICE: 50}, "users_default": 5, "events": {"m.x": 7}, "notifications": {"room": 1}}
    )
    assert found.is_set
    assert (found.of(ALICE), found.of(BOB)) == (50, 5)
    assert found.of(CREATOR) == (5 if number <= 11 else INFINITE)
    assert (found.to_send("m.x", False), found.to_send("m.x", True)) == (7, 7)
    assert (found.to_send("m.y", False), found.to_send("m.y", True)) == (0, 50)
    assert (found.notifications("room"), found.notifications("other")) == (1, 50)


@pytest.mark.parametrize("number", ALL)
def test_every_named_level_is_read(number: int) -> None:
    found = levels(number, {name: 10 + place for place, name in enumerate(DEFAULT_LEVELS)})
    assert (found.of(ALICE), found.to_send("x", False), found.to_send("x", True)) == (10, 11, 12)
    assert (found.ban, found.kick, found.redact, found.invite) == (13, 14, 15, 16)


@pytest.mark.parametrize("number", ALL)
def test_additional_creators(number: int) -> None:
    create = make_create(number, additional_creators=[ALICE, 7])
    found = PowerLevels(create, {}, version_of(number))
    assert (found.of(ALICE) == INFINITE) == (number == 12)
    assert privileged_creators(create) == (frozenset({CREATOR, ALICE}) if number == 12 else frozenset())


@pytest.mark.parametrize("number", ALL)
def test_the_creator_is_named_or_sends(number: int) -> None:
    assert room_creator(make_create(number, creator=ALICE)) == (ALICE if number <= 10 else CREATOR)
    assert room_creator(make_create(number, creator=7)) == (None if number <= 10 else CREATOR)


def test_infinite_power_is_above_all_and_equal_to_itself() -> None:
    assert INFINITE > 2**53
    assert not INFINITE < INFINITE


@pytest.mark.parametrize(
    ("value", "level", "last_version"),
    [
        (10, 10, 12),
        (-(2**53) + 1, -(2**53) + 1, 12),
        ("100", 100, 9),
        ("000100", 100, 9),
        ("+100", 100, 9),
        ("-100", -100, 9),
        (" \t-00100 \n", -100, 9),
        (50.57, 50, 5),
        (-50.57, -50, 5),
        (5.114698e4, 51146, 5),
        (True, None, 12),
        (None, None, 12),
        ("", None, 12),
        ("ten", None, 12),
        ("1.5", None, 12),
        ("+-1", None, 12),
        ("- 1", None, 12),
        ("1_000", None, 12),
        ("٣", None, 12),
        ("9" * 5000, None, 12),
        (math.inf, None, 12),
        (math.nan, None, 12),
        ([], None, 12),
    ],
)
def test_levels(value: Any, level: int | None, last_version: int) -> None:
    for number in ALL:
        assert parse_level(value, version_of(number)) == (level if number <= last_version else None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
NAMES = st.sampled_from([*DEFAULT_LEVELS, "users", "events", "notifications"])


@given(number=st.sampled_from(ALL), content=st.dictionaries(NAMES, JSON | st.fixed_dictionaries({ALICE: JSON})))
def test_any_content_gives_levels(number: int, content: dict[str, Any]) -> None:
    """Old rooms hold nonsense; reading it never fails and gives numbers."""
    found = levels(number, content)
    for level in (found.of(ALICE), found.to_send("x", True), found.notifications("room"), found.ban, found.invite):
        assert type(level) is int
