"""Encryption with matrix-nio (vodozemac): between two devices of it, and between it and matrix-js-sdk (Rust)."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from nio import AsyncClient, AsyncClientConfig, EnableEncryptionBuilder, MegolmEvent

from tests.clients.js_sdk import run_scenario
from tests.clients.nio.person import Person, good, run_apart
from tests.kit.server import Server, server

__all__ = ["server"]

ROUNDS = 20


class SecretPerson(Person):
    """A person whose client encrypts, and keeps its keys in a folder."""

    def __init__(self, url: str, name: str, folder: Path) -> None:
        super().__init__(url, name)
        folder.mkdir(parents=True, exist_ok=True)
        config = AsyncClientConfig(
            max_limit_exceeded=0, max_timeouts=0, encryption_enabled=True, store_sync_tokens=False
        )
        self.client = AsyncClient(url, name, store_path=str(folder), config=config)
        self._listen()

    async def _upkeep(self) -> None:
        """What the library does in its own loop after every sync: keys are uploaded, asked for and claimed."""
        if self.client.should_upload_keys:
            good(await self.client.keys_upload())
        if self.client.should_query_keys:
            good(await self.client.keys_query())
        if self.client.should_claim_keys:
            good(await self.client.keys_claim(self.client.get_users_for_key_claiming()))
        await self.client.send_to_device_messages()

    async def say(self, room_id: str, text: str) -> str:
        """Send an encrypted message to all devices."""
        content = {"msgtype": "m.text", "body": text}
        sent = good(await self.client.room_send(room_id, "m.room.message", content, ignore_unverified_devices=True))
        return str(sent.event_id)

    def undecryptable(self, room_id: str) -> list[MegolmEvent]:
        """What arrived and cannot be read."""
        return [event for event in self.events.get(room_id, []) if isinstance(event, MegolmEvent)]

    async def found_secret_room(self, *invited: str) -> str:
        """An encrypted room."""
        encryption = EnableEncryptionBuilder().as_dict()
        created = good(await self.client.room_create(invite=list(invited), initial_state=[encryption]))
        room_id = str(created.room_id)
        await self.until(lambda: room_id in self.client.rooms and self.room(room_id).encrypted, "the encrypted room")
        return room_id


@pytest.mark.timeout(240)
def test_the_two_libraries_understand_each_other(server: Server, tmp_path: Path) -> None:
    run_apart(_talk_with_echo(server.url, tmp_path))


@pytest.mark.timeout(180)
def test_three_devices_understand_each_other(server: Server, tmp_path: Path) -> None:
    run_apart(_talk_on_three_devices(server.url, tmp_path))


async def _talk_with_echo(url: str, folder: Path) -> None:
    alice = SecretPerson(url, "alice", folder / "alice")
    await alice.register()
    alice.start_syncing()
    partner = asyncio.create_task(asyncio.to_thread(run_scenario, "secrets.mjs", url, folder / "js-sdk", "echo"))
    try:
        echo = "@echo:" + alice.user_id.split(":", 1)[1]
        await _until_registered(alice, echo, partner)
        room_id = await alice.found_secret_room(echo)
        await alice.until(lambda: alice.room(room_id).users[echo].invited is False, "the partner's join")
        for text in [*(f"message {index}" for index in range(ROUNDS)), "bye"]:
            await alice.say(room_id, text)
            await alice.until_last(room_id, f"{text}, in secret")
        assert alice.undecryptable(room_id) == []
        seen = await partner
        assert [each for each in seen["all"] if each["status"] is not None and each["status"] >= 500] == []
    finally:
        await alice.stop()
        await asyncio.wait([partner])


async def _until_registered(person: SecretPerson, user_id: str, partner: "asyncio.Task[object]") -> None:
    """Wait until a user has a device with keys."""
    async with asyncio.timeout(60):
        while not partner.done():
            body = json.dumps({"device_keys": {user_id: []}})
            path = f"/_matrix/client/v3/keys/query?access_token={person.client.access_token}"
            response = await person.client.send("POST", path, body, {"Content-Type": "application/json"})
            if (await response.json())["device_keys"].get(user_id):
                return
            await asyncio.sleep(0.2)
    await partner


async def _talk_on_three_devices(url: str, folder: Path) -> None:
    alice, bob = SecretPerson(url, "alice", folder / "alice"), SecretPerson(url, "bob", folder / "bob")
    laptop = SecretPerson(url, "bob", folder / "laptop")
    people = [alice, bob, laptop]
    try:
        await alice.register()
        await bob.register()
        await laptop.login()
        for person in people:
            person.start_syncing()
            await person.until(lambda p=person: not p.client.should_upload_keys, "its keys on the server")  # type: ignore[misc]
        room_id = await alice.found_secret_room(bob.user_id)
        await bob.until(lambda: room_id in bob.client.invited_rooms, "an invitation")
        good(await bob.client.join(room_id))
        for person in people:
            await person.until(_is_complete(person, room_id, bob.user_id), "the encrypted room")
        for index in range(ROUNDS):
            speaker = people[index % 3]
            await speaker.say(room_id, f"message {index}")
            for person in people:
                await person.until_last(room_id, f"message {index}")
        good(await laptop.client.logout())
        await alice.until(lambda: len(_devices(alice, bob.user_id)) == 1, "the end of the laptop")
        await alice.say(room_id, "to the phone")
        await bob.until_last(room_id, "to the phone")
        assert all(person.undecryptable(room_id) == [] for person in people)
    finally:
        for person in people:
            await person.stop()


def _is_complete(person: SecretPerson, room_id: str, user_id: str) -> Callable[[], bool]:
    def is_complete() -> bool:
        room = person.client.rooms.get(room_id)
        return room is not None and room.encrypted and user_id in room.users and not room.users[user_id].invited

    return is_complete


def _devices(person: SecretPerson, user_id: str) -> list[str]:
    """The devices of a user that a client knows and that are not gone."""
    return [device.id for device in person.client.device_store.active_user_devices(user_id)]
