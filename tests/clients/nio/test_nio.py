"""Two people with matrix-nio: rooms, 200 messages, state, typing, receipts, history, logging out and in again."""

from typing import Any

import pytest
from nio import ErrorResponse, MessageDirection, RoomPreset, RoomVisibility

from tests.clients.nio.person import Person, eventually, good, run_apart
from tests.kit.server import Server, server

__all__ = ["server"]

ROUNDS = 100


@pytest.mark.timeout(180)
def test_two_people_chat(server: Server) -> None:
    run_apart(_scenario(server.url))


async def _scenario(url: str) -> None:
    alice, bob = Person(url, "alice"), Person(url, "bob")
    try:
        for person in (alice, bob):
            await person.register()
            person.start_syncing()
        room_id = await _meet(alice, bob)
        await _meet_in_public(alice, bob)
        await _chat(alice, bob, room_id)
        await _edit_state(alice, bob, room_id)
        await _type(alice, bob, room_id)
        await _read(alice, bob, room_id)
        await _page_back(alice, room_id)
        await _come_back(alice, bob, room_id)
    finally:
        await alice.stop()
        await bob.stop()


async def _meet(alice: Person, bob: Person) -> str:
    """A private room: Bob is invited and joins."""
    created = good(await alice.client.room_create(name="Kitchen", topic="Food", invite=[bob.user_id], is_direct=True))
    room_id = str(created.room_id)
    await bob.until(lambda: room_id in bob.client.invited_rooms, "an invitation")
    assert bob.client.invited_rooms[room_id].inviter == alice.user_id
    good(await bob.client.join(room_id))
    await bob.until(lambda: room_id in bob.client.rooms, "a room that he joined")
    await alice.until(lambda: room_id in alice.client.rooms, "her own room")
    await alice.until(lambda: bob.user_id in alice.room(room_id).users, "Bob's join")
    assert (bob.room(room_id).name, bob.room(room_id).topic) == ("Kitchen", "Food")
    assert set(bob.room(room_id).users) == {alice.user_id, bob.user_id}
    return room_id


async def _meet_in_public(alice: Person, bob: Person) -> None:
    """A public room: Bob finds it in the directory, joins by its alias, and leaves."""
    options: dict[str, Any] = {"visibility": RoomVisibility.public, "preset": RoomPreset.public_chat}
    room_id = good(await alice.client.room_create(name="Square", alias="square", **options)).room_id
    await eventually(lambda: _is_listed(bob, room_id), "the public room in the directory")
    assert good(await bob.client.join("#square:" + bob.user_id.split(":", 1)[1])).room_id == room_id
    await bob.until(lambda: room_id in bob.client.rooms, "the public room")
    await alice.until(lambda: room_id in alice.client.rooms, "her public room")
    await alice.until(lambda: bob.user_id in alice.room(room_id).users, "Bob in the public room")
    assert await alice.say(room_id, "hello all")
    await bob.until(lambda: "hello all" in bob.texts(room_id), "a message in the public room")
    good(await bob.client.room_leave(room_id))
    await bob.until(lambda: room_id in bob.left, "the end of the public room")
    await alice.until(lambda: bob.user_id not in alice.room(room_id).users, "Bob's leave")
    assert isinstance(await bob.client.room_send(room_id, "m.room.message", {"body": "?"}), ErrorResponse)


async def _is_listed(person: Person, room_id: str) -> bool:
    rooms = good(await person.client.list_public_rooms()).public_rooms
    return [(room.room_id, room.name, room.num_joined_members) for room in rooms] == [(room_id, "Square", 1)]


async def _chat(alice: Person, bob: Person, room_id: str) -> None:
    """Two hundred messages, each an answer to the one before, each seen by both, once and in order."""
    expected = []
    for number in range(ROUNDS):
        for speaker, listener in ((alice, bob), (bob, alice)):
            expected.append(f"{speaker.name} {number}")
            await speaker.say(room_id, expected[-1])
            await listener.until_last(room_id, expected[-1])
    for person in (alice, bob):
        await person.until_last(room_id, expected[-1])
        assert person.texts(room_id) == expected


async def _edit_state(alice: Person, bob: Person, room_id: str) -> None:
    """Name, topic, power levels; Bob may change the topic only once he has the power to."""
    refused = await bob.client.room_put_state(room_id, "m.room.topic", {"topic": "Bob's"})
    assert isinstance(refused, ErrorResponse)
    assert refused.status_code == "M_FORBIDDEN"
    good(await alice.client.room_put_state(room_id, "m.room.name", {"name": "Parlour"}))
    levels = good(await alice.client.room_get_state_event(room_id, "m.room.power_levels")).content
    levels["users"] = {**levels.get("users", {}), bob.user_id: 50}
    good(await alice.client.room_put_state(room_id, "m.room.power_levels", levels))
    await bob.until(lambda: bob.room(room_id).power_levels.get_user_level(bob.user_id) == 50, "more power")
    good(await bob.client.room_put_state(room_id, "m.room.topic", {"topic": "Tea"}))
    await alice.until(lambda: alice.room(room_id).topic == "Tea", "the new topic")
    await bob.until(lambda: bob.room(room_id).topic == "Tea", "his own topic")
    assert alice.room(room_id).name == bob.room(room_id).name == "Parlour"
    state = {event["type"]: event["content"] for event in good(await bob.client.room_get_state(room_id)).events}
    assert state["m.room.topic"] == {"topic": "Tea"} | state["m.room.topic"]
    assert state["m.room.power_levels"]["users"][bob.user_id] == 50


async def _type(alice: Person, bob: Person, room_id: str) -> None:
    """Bob types and stops."""
    good(await bob.client.room_typing(room_id, True, 60_000))
    await alice.until(lambda: alice.room(room_id).typing_users == [bob.user_id], "Bob's typing")
    good(await bob.client.room_typing(room_id, False))
    await alice.until(lambda: alice.room(room_id).typing_users == [], "the end of Bob's typing")


async def _read(alice: Person, bob: Person, room_id: str) -> None:
    """Receipts travel to the others, the read marker to one's own devices, and both settle the unread count."""
    last = await alice.say(room_id, "read me")
    await bob.until_last(room_id, "read me")
    good(await bob.client.update_receipt_marker(room_id, last))
    await alice.until(lambda: _read_by(alice, room_id, bob, "main") == last, "Bob's receipt of the main timeline")
    await bob.until(lambda: bob.room(room_id).unread_notifications == 0, "nothing unread")
    for text in ("one", "two", "three"):
        last = await alice.say(room_id, text)
    await bob.until(lambda: bob.room(room_id).unread_notifications == 3, "three unread messages")
    good(await bob.client.room_read_markers(room_id, fully_read_event=last, read_event=last))
    await bob.until(lambda: bob.room(room_id).fully_read_marker == last, "the read marker")
    await bob.until(lambda: bob.room(room_id).unread_notifications == 0, "nothing unread again")
    await alice.until(lambda: _read_by(alice, room_id, bob) == last, "Bob's receipt")


def _read_by(reader: Person, room_id: str, other: Person, thread: str | None = None) -> str | None:
    room = reader.room(room_id)
    threads = room.threaded_read_receipts.get(other.user_id, {})
    receipt = threads.get(thread) if thread else room.read_receipts.get(other.user_id)
    return None if receipt is None else str(receipt.event_id)


async def _page_back(alice: Person, room_id: str) -> None:
    """The whole history, backwards and forwards, is what sync brought, down to the creation of the room."""
    backwards = await _all_pages(alice, room_id, alice.client.next_batch, MessageDirection.back)
    history = backwards[::-1]
    assert history[0].source["type"] == "m.room.create"
    event_ids = [event.event_id for event in history]
    assert len(set(event_ids)) == len(event_ids)
    live = [event.event_id for event in alice.events[room_id]]
    assert event_ids[-len(live) :] == live
    assert len([event for event in history if event.source["type"] == "m.room.message"]) == 2 * ROUNDS + 4
    forwards = await _all_pages(alice, room_id, None, MessageDirection.front)
    assert [event.event_id for event in forwards] == event_ids


async def _all_pages(person: Person, room_id: str, start: str | None, direction: MessageDirection) -> list[Any]:
    events: list[Any] = []
    while True:
        page = good(await person.client.room_messages(room_id, start, direction=direction, limit=30))
        assert len(page.chunk) <= 30
        events += page.chunk
        if not page.chunk or page.end is None:
            return events
        start = page.end


async def _come_back(alice: Person, bob: Person, room_id: str) -> None:
    """Bob logs out, which ends his session, and in again; a new session begins where the old one ended."""
    old_token, old_device, known = bob.client.access_token, bob.client.device_id, bob.texts(room_id)
    good(await bob.client.logout())
    await bob.stop()
    ghost = Person(bob.client.homeserver, "bob")
    ghost.client.restore_login(bob.user_id, old_device, old_token)
    refused = await ghost.client.whoami()
    await ghost.stop()
    assert isinstance(refused, ErrorResponse)
    assert refused.status_code == "M_UNKNOWN_TOKEN"
    again = Person(bob.client.homeserver, "bob")
    try:
        await again.login()
        assert again.client.device_id != old_device
        again.start_syncing()
        await again.until(lambda: room_id in again.client.rooms, "the room")
        assert again.texts(room_id) == known[-len(again.texts(room_id)) :] != []
        assert (again.room(room_id).name, again.room(room_id).topic) == ("Parlour", "Tea")
        assert set(again.room(room_id).users) == {alice.user_id, bob.user_id}
        await alice.say(room_id, "welcome back")
        await again.until_last(room_id, "welcome back")
    finally:
        await again.stop()
