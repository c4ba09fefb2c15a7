"""What is not kept: typing, receipts and presence, from either side."""

from functools import partial
from typing import Any

import pytest

from tests.federation.sides import (
    Border,
    ephemeral,
    event,
    eventually,
    join,
    person,
    room_path,
    seen,
    wait_for_membership,
)
from tests.kit.client import V3, Client


@pytest.fixture
def room(border: Border) -> tuple[Client, Client, str]:
    """Two people who share a room."""
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    room_id = alice.create_room(preset="public_chat")
    join(bob, room_id, border.host.server_name)
    wait_for_membership(alice, room_id, bob.user_id, "join")
    wait_for_membership(bob, room_id, alice.user_id, "join")
    return alice, bob, room_id


def test_typing(room: tuple[Client, Client, str]) -> None:
    alice, bob, room_id = room
    for typist, other in ((alice, bob), (bob, alice)):
        since = other.sync()["next_batch"]
        path = room_path(room_id, "typing", typist.user_id)
        typist.call("PUT", path, {"typing": True, "timeout": 30_000})
        _see_typing(other, since, room_id, [typist.user_id])
        since = other.sync()["next_batch"]
        typist.call("PUT", path, {"typing": False})
        _see_typing(other, since, room_id, [])


def test_receipts(room: tuple[Client, Client, str]) -> None:
    alice, bob, room_id = room
    for sender, reader in ((alice, bob), (bob, alice)):
        event_id = sender.send(room_id, "read this", f"read {sender.user_id}")
        eventually(partial(event, reader, room_id, event_id), "the message")
        since = sender.sync()["next_batch"]
        reader.call("POST", room_path(room_id, "receipt", "m.read", event_id), {})

        def look(response: Any, event_id: str = event_id, reader: Client = reader) -> bool:
            content = ephemeral(response, room_id, "m.receipt") or {}
            return reader.user_id in content.get(event_id, {}).get("m.read", {})

        seen(sender, since, look, f"the receipt of {reader.user_id}")


def test_private_receipts_stay_at_home(room: tuple[Client, Client, str]) -> None:
    """A private receipt is followed by a public one for an older event, which is all that arrives."""
    alice, bob, room_id = room
    first, second = (alice.send(room_id, text, text) for text in ("one", "two"))
    eventually(lambda: event(bob, room_id, second), "the messages")
    since = alice.sync()["next_batch"]
    bob.call("POST", room_path(room_id, "receipt", "m.read.private", second), {})
    bob.call("POST", room_path(room_id, "receipt", "m.read", first), {})
    arrived = seen(alice, since, lambda response: ephemeral(response, room_id, "m.receipt"), "the public receipt")
    assert arrived.keys() == {first}
    assert arrived[first].keys() == {"m.read"}


def test_presence(room: tuple[Client, Client, str]) -> None:
    alice, bob, _ = room
    for one, other in ((alice, bob), (bob, alice)):
        since = other.sync()["next_batch"]
        status = {"presence": "online", "status_msg": f"cooking, says {one.user_id}"}
        one.call("PUT", f"{V3}/presence/{one.user_id}/status", status)

        def look(response: Any, one: Client = one, status: dict[str, str] = status) -> bool:
            events = response.get("presence", {}).get("events", [])
            return any(
                each["sender"] == one.user_id and each["content"].get("status_msg") == status["status_msg"]
                for each in events
            )

        seen(other, since, look, f"the presence of {one.user_id}")


def _see_typing(client: Client, since: str, room_id: str, wanted: list[str]) -> None:
    def look(response: Any) -> bool:
        content = ephemeral(response, room_id, "m.typing")
        return content is not None and content["user_ids"] == wanted

    seen(client, since, look, f"typing of {wanted}")
