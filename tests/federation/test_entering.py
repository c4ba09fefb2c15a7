"""Ways into a room of another server: invites taken and refused, knocks, and restricted rooms through a space."""

from functools import partial
from typing import Any

import pytest

from tests.federation.sides import (
    VERSIONS,
    Border,
    act,
    event,
    eventually,
    invite_of,
    join,
    joined_rooms,
    knock,
    knock_of,
    membership,
    person,
    state,
    try_join,
    wait_for_bodies,
    wait_for_membership,
    wait_for_same_state,
)

WITH_KNOCKS = ("10", "11", "12")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_invite_is_taken(border: Border, version: str) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    room_id = alice.create_room(preset="private_chat", room_version=version, name="Kitchen", invite=[bob.user_id])
    invite = eventually(lambda: invite_of(bob, room_id), "the invite")
    assert invite["m.room.name"] == {"name": "Kitchen"}
    assert invite[f"m.room.member {bob.user_id}"]["membership"] == "invite"
    assert join(bob, room_id) == room_id
    wait_for_membership(alice, room_id, bob.user_id, "join")
    first, second = alice.send(room_id, "welcome", "1"), bob.send(room_id, "thank you", "2")
    eventually(lambda: event(bob, room_id, first), "the host's message")
    eventually(lambda: event(alice, room_id, second), "the guest's message")
    wait_for_same_state(room_id, alice, bob)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_invite_is_refused_or_withdrawn(border: Border, version: str) -> None:
    alice, bob, carol = person(border.host, "alice"), person(border.guest, "bob"), person(border.guest, "carol")
    room_id = alice.create_room(preset="private_chat", room_version=version, invite=[bob.user_id, carol.user_id])
    for guest in (bob, carol):
        eventually(partial(invite_of, guest, room_id), "the invite")
    act(bob, room_id, "leave")
    wait_for_membership(alice, room_id, bob.user_id, "leave")
    assert invite_of(bob, room_id) is None
    act(alice, room_id, "kick", carol.user_id)
    wait_for_membership(alice, room_id, carol.user_id, "leave")
    assert try_join(bob, room_id, border.host.server_name)[0] == 403


@pytest.mark.parametrize("version", WITH_KNOCKS)
def test_a_knock_is_answered(border: Border, version: str) -> None:
    alice, bob, carol = person(border.host, "alice"), person(border.guest, "bob"), person(border.guest, "carol")
    room_id = alice.create_room(room_version=version, name="Study", initial_state=[_rule({"join_rule": "knock"})])
    for guest in (bob, carol):
        assert knock(guest, room_id, border.host.server_name) == room_id
        wait_for_membership(alice, room_id, guest.user_id, "knock")
        known = eventually(partial(knock_of, guest, room_id), "the knock")
        assert known["m.room.name"] == {"name": "Study"}
    assert try_join(bob, room_id, border.host.server_name)[0] == 403
    act(alice, room_id, "invite", bob.user_id)
    eventually(lambda: invite_of(bob, room_id), "the invite after the knock")
    join(bob, room_id, border.host.server_name)
    wait_for_membership(alice, room_id, bob.user_id, "join")
    act(carol, room_id, "leave")
    wait_for_membership(alice, room_id, carol.user_id, "leave")
    wait_for_same_state(room_id, alice, bob)


@pytest.mark.parametrize("version", WITH_KNOCKS)
def test_members_of_a_space_may_join(border: Border, version: str) -> None:
    alice, bob, carol = person(border.host, "alice"), person(border.guest, "bob"), person(border.guest, "carol")
    space_id = alice.create_room(
        preset="public_chat", room_version=version, name="House", creation_content={"type": "m.space"}
    )
    allow = [{"type": "m.room_membership", "room_id": space_id}]
    room_id = alice.create_room(
        room_version=version, name="Cellar", initial_state=[_rule({"join_rule": "restricted", "allow": allow})]
    )
    alice.put_state(space_id, "m.space.child", {"via": [border.host.server_name]}, room_id)
    assert try_join(bob, room_id, border.host.server_name)[0] == 403
    join(bob, space_id, border.host.server_name)
    wait_for_membership(alice, space_id, bob.user_id, "join")
    join(bob, room_id, border.host.server_name)
    wait_for_membership(alice, room_id, bob.user_id, "join")
    member = event(alice, room_id, state(alice, room_id)["m.room.member", bob.user_id])
    assert member["content"]["join_authorised_via_users_server"] == alice.user_id
    assert try_join(carol, room_id, border.host.server_name)[0] == 403
    assert membership(alice, room_id, carol.user_id) is None
    wait_for_same_state(room_id, alice, bob)


@pytest.mark.parametrize("version", ["10", "12"])
def test_a_room_without_its_host_goes_on(border: Border, version: str) -> None:
    """The one who made it leaves; guests of the other server go on, and one of the host's comes back over them."""
    alice, dave, bob = person(border.host, "alice"), person(border.host, "dave"), person(border.guest, "bob")
    room_id = alice.create_room(preset="public_chat", room_version=version)
    join(bob, room_id, border.host.server_name)
    wait_for_same_state(room_id, alice, bob)
    act(alice, room_id, "leave")
    wait_for_membership(bob, room_id, alice.user_id, "leave")
    bob.send(room_id, "still here", "1")
    assert room_id not in joined_rooms(alice)
    join(dave, room_id, border.guest.server_name)
    wait_for_membership(bob, room_id, dave.user_id, "join")
    wait_for_bodies(dave, room_id, {"still here"})
    wait_for_same_state(room_id, bob, dave)


def _rule(content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "m.room.join_rules", "state_key": "", "content": content}
