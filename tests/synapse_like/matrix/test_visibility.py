"""Who may see which event."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from synapse_like.matrix.events import Event
from synapse_like.matrix.visibility import (
    Standing,
    Visibility,
    may_see,
    may_see_event,
    visibility_of,
    visibility_rank,
)
from tests.synapse_like.matrix.auth_rules.room_kit import ALICE, BOB, make_event, make_member

WORLD, SHARED, INVITED, JOINED = Visibility
MEMBERSHIPS = (None, "join", "invite", "knock", "leave", "ban")


@pytest.mark.parametrize(
    ("visibility", "membership", "has_joined_later"), list(product(Visibility, MEMBERSHIPS, (False, True)))
)
def test_the_five_rules(visibility: Visibility, membership: str | None, has_joined_later: bool) -> None:
    allowed = (
        visibility == WORLD
        or membership == "join"
        or (visibility == SHARED and has_joined_later)
        or (visibility == INVITED and membership == "invite")
    )
    assert may_see(Standing(visibility, membership), has_joined_later) == allowed


def test_worked_cases() -> None:
    assert may_see(Standing(SHARED, None), has_joined_later=True), "history from before the join"
    assert not may_see(Standing(SHARED, "leave"), has_joined_later=False), "after leaving for good"
    assert may_see(Standing(SHARED, "leave"), has_joined_later=True), "between leaving and coming back"
    assert not may_see(Standing(INVITED, None), has_joined_later=True), "before the invite"
    assert not may_see(Standing(JOINED, "invite"), has_joined_later=True), "between invite and join"
    assert not may_see(Standing(SHARED, "invite"), has_joined_later=False), "an invite alone opens nothing"


@pytest.mark.parametrize(
    ("content", "visibility"),
    [
        (None, SHARED),
        ({}, SHARED),
        ({"history_visibility": "world_readable"}, WORLD),
        ({"history_visibility": "joined"}, JOINED),
        ({"history_visibility": "invited"}, INVITED),
        ({"history_visibility": "Joined"}, SHARED),
        ({"history_visibility": ["joined"]}, SHARED),
        ({"history_visibility": None}, SHARED),
    ],
)
def test_what_is_not_understood_is_shared(content: dict[str, Any] | None, visibility: Visibility) -> None:
    assert visibility_of(content) is visibility


def test_ranks_go_from_open_to_closed() -> None:
    assert sorted(Visibility, key=visibility_rank) == [WORLD, SHARED, INVITED, JOINED]
    assert visibility_rank(WORLD) == 0


def change_to(visibility: Visibility, **fields: Any) -> Event:
    content = {"history_visibility": visibility.value}
    return make_event(12, "m.room.history_visibility", ALICE, content, **{"state_key": ""} | fields)


@pytest.mark.parametrize(("before", "after", "membership"), list(product(Visibility, Visibility, MEMBERSHIPS)))
def test_changes_of_visibility_are_seen_if_either_value_allows(
    before: Visibility, after: Visibility, membership: str | None
) -> None:
    either = may_see(Standing(before, membership), False) or may_see(Standing(after, membership), False)
    assert may_see_event(change_to(after), BOB, Standing(before, membership), False) == either


def test_only_the_visibility_event_of_the_room_counts() -> None:
    message = make_event(12, "m.room.history_visibility", ALICE, {"history_visibility": "world_readable"})
    for odd in (change_to(WORLD, state_key="x"), message):
        assert not may_see_event(odd, BOB, Standing(JOINED, None), False)


def test_messages_are_judged_by_the_state_before_them() -> None:
    message = make_event(12, "m.room.message", ALICE)
    for visibility, membership in product(Visibility, MEMBERSHIPS):
        standing = Standing(visibility, membership)
        assert may_see_event(message, BOB, standing, False) == may_see(standing, False)


@pytest.mark.parametrize("visibility", Visibility)
def test_own_joins_and_departures_are_seen(visibility: Visibility) -> None:
    for before in MEMBERSHIPS:
        assert may_see_event(make_member(12, BOB, BOB, "join"), BOB, Standing(visibility, before), False)
    for after in ("leave", "ban", "join"):
        assert may_see_event(make_member(12, ALICE, BOB, after), BOB, Standing(visibility, "join"), False)


def test_own_invites_and_their_ends() -> None:
    invite, leave = make_member(12, ALICE, BOB, "invite"), make_member(12, ALICE, BOB, "leave")
    assert may_see_event(invite, BOB, Standing(INVITED, None), False)
    assert not may_see_event(invite, BOB, Standing(JOINED, None), False)
    for before in ("invite", "knock"):
        assert may_see_event(leave, BOB, Standing(JOINED, before), False), "the client must learn of it"
    assert not may_see_event(leave, BOB, Standing(JOINED, "ban"), False)


def test_memberships_of_others_are_ordinary_events() -> None:
    join = make_member(12, ALICE, ALICE, "join")
    assert not may_see_event(join, BOB, Standing(JOINED, "invite"), False)
    assert not may_see_event(join, BOB, Standing(JOINED, None), True)
    assert may_see_event(join, BOB, Standing(SHARED, None), True)
