"""History across the border: what was said before a guest came, and what a server missed while it was away."""

import time
from pathlib import Path

import pytest

from tests.federation.conftest import open_ours
from tests.federation.sides import (
    Border,
    bodies,
    event,
    eventually,
    join,
    person,
    wait_for_bodies,
    wait_for_same_state,
)
from tests.kit.client import V3
from tests.kit.peers import running
from tests.kit.synapse import Partner

EARLIER = 60


@pytest.mark.parametrize("version", ["1", "10", "12"])
def test_a_guest_pages_back_to_the_beginning(border: Border, version: str) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    room_id = alice.create_room(preset="public_chat", room_version=version)
    texts = [f"before {number}" for number in range(EARLIER)]
    for text in texts:
        alice.send(room_id, text, text)
        if text.endswith("5"):
            alice.put_state(room_id, "m.room.topic", {"topic": text})
    join(bob, room_id, border.host.server_name)

    def whole() -> bool:
        found = bob.history(room_id, page=20)
        return found[0]["type"] == "m.room.create"

    eventually(whole, "history down to the creation of the room")
    theirs, own = alice.history(room_id), bob.history(room_id, page=20)
    assert [each["event_id"] for each in own] == [each["event_id"] for each in theirs]
    assert [text for text in bodies(bob, room_id) if text.startswith("before")] == texts


def test_history_from_before_joining_stays_hidden(border: Border) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    visibility = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    room_id = alice.create_room(preset="public_chat", initial_state=[visibility])
    secret = alice.send(room_id, "not for guests", "1")
    join(bob, room_id, border.host.server_name)
    after = alice.send(room_id, "for all", "2")
    eventually(lambda: event(bob, room_id, after), "the later message")
    assert event(bob, room_id, secret) is None
    assert bodies(bob, room_id) == ["for all"]


def test_a_time_finds_its_event(border: Border) -> None:
    """A guest whose server does not have the history yet asks for the event nearest to a time."""
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    room_id = alice.create_room(preset="public_chat")
    wanted = alice.send(room_id, "the one", "1")
    at_ms = event(alice, room_id, wanted)["origin_server_ts"]
    while int(time.time() * 1000) <= at_ms:
        time.sleep(0.001)
    for number in range(30):
        alice.send(room_id, f"later {number}", f"l{number}")
    join(bob, room_id, border.host.server_name)
    query = {"ts": at_ms, "dir": "f"}
    found = bob.call("GET", f"{V3.replace('v3', 'v1')}/rooms/{room_id}/timestamp_to_event", query=query)
    assert found["origin_server_ts"] >= at_ms
    assert found["event_id"] == wanted


@pytest.mark.parametrize("count", [5, 60])
def test_what_was_missed_while_away(partner: Partner, tmp_path: Path, count: int) -> None:
    """Our server is stopped; the partner goes on; everything is there when ours is back, few or many."""
    ours = open_ours(tmp_path)
    with running(ours):
        alice, bob = person(partner, "alice"), person(ours, "bob")
        room_id = alice.create_room(preset="public_chat")
        join(bob, room_id, partner.server_name)
        wait_for_same_state(room_id, alice, bob)
        texts = {f"missed {number}" for number in range(count)}
        ours.stop()
        for text in sorted(texts):
            alice.send(room_id, text, text)
        alice.put_state(room_id, "m.room.name", {"name": "While you were away"})
        ours.start()
        alice.send(room_id, "are you back?", "back")
        wait_for_bodies(bob, room_id, {*texts, "are you back?"})
        wait_for_same_state(room_id, alice, bob)


@pytest.mark.parametrize("count", [5, 60])
def test_what_waited_for_the_partner(partner: Partner, tmp_path: Path, count: int) -> None:
    """Our server cannot be reached for a while, so that the partner cannot ask back; then nothing is missing."""
    ours = open_ours(tmp_path)
    with running(ours):
        alice, bob = person(partner, "alice"), person(ours, "bob")
        room_id = bob.create_room(preset="public_chat")
        join(alice, room_id, ours.server_name)
        wait_for_same_state(room_id, alice, bob)  # a join of Synapse is whole only some time after its answer
        assert ours.crossing is not None
        ours.crossing.close()
        texts = {f"waiting {number}" for number in range(count)}
        for text in sorted(texts):
            bob.send(room_id, text, text)
        ours.crossing.open()
        bob.send(room_id, "open again", "open")
        wait_for_bodies(alice, room_id, {*texts, "open again"})
        wait_for_same_state(room_id, alice, bob)
