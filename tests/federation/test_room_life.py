"""The life of a room that two servers share, in each room version, whoever made it.

``SYNAPSE_LIKE_FEDERATION_ROUNDS`` says how many messages go each way; the long form is 300.
"""

import os
import threading
from functools import partial

import pytest

from tests.federation.conftest import IS_CONTROL
from tests.federation.following import Follower, follow
from tests.federation.sides import (
    VERSIONS,
    Border,
    act,
    content,
    event,
    eventually,
    fresh_name,
    invite_of,
    join,
    joined_rooms,
    membership,
    person,
    redact,
    try_join,
    wait_for_bodies,
    wait_for_membership,
    wait_for_same_state,
)
from tests.kit.client import V3, Client
from tests.kit.peers import Peer

ROUNDS = int(os.environ.get("SYNAPSE_LIKE_FEDERATION_ROUNDS", "12"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_room_of_two_servers(border: Border, ours: Peer, version: str) -> None:
    walk(border, version, "" if IS_CONTROL else ours.url)


def walk(border: Border, version: str, followed_url: str) -> None:
    """The whole life of a room; clients of one server follow along by /sync, and then know what new ones are told."""
    alice, bob, carol = person(border.host, "alice"), person(border.guest, "bob"), person(border.guest, "carol")
    followers = [Follower(each) for each in (alice, bob, carol) if each.url == followed_url]
    room_id = _meet(border, alice, bob, version)
    for step in (_talk, _change_state, _change_profiles, _redact):
        step(alice, bob, room_id)
        follow(followers)
    _come_and_go(border, alice, bob, carol, room_id)
    wait_for_same_state(room_id, alice, carol)
    follow(followers)
    for follower in followers:
        assert follower.differences() == []


def _meet(border: Border, alice: Client, bob: Client, version: str) -> str:
    """A public room, joined by its alias."""
    name = fresh_name("life")
    room_id = alice.create_room(preset="public_chat", room_version=version, room_alias_name=name, name="Square")
    assert join(bob, f"#{name}:{border.host.server_name}") == room_id
    wait_for_membership(alice, room_id, bob.user_id, "join")
    assert content(bob, room_id, "m.room.name") == {"name": "Square"}
    wait_for_same_state(room_id, alice, bob)
    return room_id


def _talk(alice: Client, bob: Client, room_id: str) -> None:
    """Both talk at once; both find all messages, once, each speaker's in the order of speaking."""

    def speak(client: Client, word: str) -> None:
        for number in range(ROUNDS):
            client.send(room_id, f"{word} {number}", f"{word}{number}")

    threads = [threading.Thread(target=speak, args=pair) for pair in ((alice, "host"), (bob, "guest"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = {word: [f"{word} {number}" for number in range(ROUNDS)] for word in ("host", "guest")}
    for client in (alice, bob):
        found = wait_for_bodies(client, room_id, {*said["host"], *said["guest"]})
        for word, texts in said.items():
            assert [text for text in found if text.startswith(word)] == texts


def _change_state(alice: Client, bob: Client, room_id: str) -> None:
    """A guest needs the power to change the topic; then both servers show the change."""
    assert content(bob, room_id, "m.room.topic") is None
    alice.put_state(room_id, "m.room.topic", {"topic": "Soup"})
    eventually(lambda: (content(bob, room_id, "m.room.topic") or {}).get("topic") == "Soup", "the host's topic")
    levels = content(alice, room_id, "m.room.power_levels")
    alice.put_state(room_id, "m.room.power_levels", {**levels, "users": {**levels.get("users", {}), bob.user_id: 50}})
    eventually(
        lambda: content(bob, room_id, "m.room.power_levels")["users"].get(bob.user_id) == 50, "more power for the guest"
    )
    bob.put_state(room_id, "m.room.topic", {"topic": "Salad"})
    eventually(lambda: content(alice, room_id, "m.room.topic").get("topic") == "Salad", "the guest's topic")
    alice.put_state(room_id, "org.example.menu", {"dishes": ["soup", {"of": "day"}]}, "lunch")
    eventually(lambda: content(bob, room_id, "org.example.menu", "lunch"), "state of any type")


def _change_profiles(alice: Client, bob: Client, room_id: str) -> None:
    """A new display name is in the member event on the other side."""
    for client, other in ((alice, bob), (bob, alice)):
        name = f"The new {client.user_id}"
        client.call("PUT", f"{V3}/profile/{client.user_id}/displayname", {"displayname": name})
        eventually(partial(_is_called, other, room_id, client.user_id, name), f"the new name of {client.user_id}")


def _redact(alice: Client, bob: Client, room_id: str) -> None:
    """A redaction empties the event on both sides, whoever sent which."""
    for sender, redactor in ((alice, alice), (bob, bob), (alice, bob)):
        event_id = sender.send(room_id, "a slip", f"slip {redactor.user_id} {sender.user_id}")
        eventually(partial(event, redactor, room_id, event_id), "the slip")
        redact(redactor, room_id, event_id)
        for client in (alice, bob):
            what = f"the redaction by {redactor.user_id} for {client.user_id}"
            eventually(partial(_is_empty, client, room_id, event_id), what)


def _is_called(client: Client, room_id: str, user_id: str, name: str) -> bool:
    return bool(content(client, room_id, "m.room.member", user_id).get("displayname") == name)


def _is_empty(client: Client, room_id: str, event_id: str) -> bool:
    found = event(client, room_id, event_id)
    return found is not None and found["content"] == {}


def _come_and_go(border: Border, alice: Client, bob: Client, carol: Client, room_id: str) -> None:
    """Invite, leave, kick, ban and unban of guests."""
    act(alice, room_id, "invite", carol.user_id)
    invite = eventually(lambda: invite_of(carol, room_id), "the invite")
    assert invite["m.room.name"] == {"name": "Square"}
    join(carol, room_id, border.host.server_name)
    wait_for_membership(alice, room_id, carol.user_id, "join")
    act(bob, room_id, "leave")
    wait_for_membership(alice, room_id, bob.user_id, "leave")
    act(alice, room_id, "kick", carol.user_id, reason="noise")
    eventually(lambda: room_id not in joined_rooms(carol), "the guest being out after the kick")
    join(carol, room_id, border.host.server_name)
    wait_for_membership(alice, room_id, carol.user_id, "join")
    act(alice, room_id, "ban", carol.user_id)
    eventually(lambda: room_id not in joined_rooms(carol), "the guest being out after the ban")
    status, _ = try_join(carol, room_id, border.host.server_name)
    assert status == 403
    assert membership(alice, room_id, carol.user_id) == "ban"
    act(alice, room_id, "unban", carol.user_id)
    wait_for_membership(alice, room_id, carol.user_id, "leave")
    eventually(lambda: try_join(carol, room_id, border.host.server_name)[0] == 200, "the guest coming back")
    wait_for_membership(alice, room_id, carol.user_id, "join")
