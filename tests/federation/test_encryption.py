"""Encrypted conversations between users of matrix-nio on two servers."""

import asyncio
from collections.abc import Container
from functools import partial
from pathlib import Path
from typing import Any

from nio import AsyncClient, AsyncClientConfig, Event, MatrixRoom, MegolmEvent, RoomMessageText

from tests.clients.nio.person import LONG_POLL_MS, eventually, good, run_apart
from tests.federation.sides import Border, person
from tests.kit.client import Client

ROUNDS = 10


class Correspondent:
    """A user who encrypts; ``read`` holds what could be read, ``sealed`` what could not."""

    def __init__(self, session: Client, folder: Path) -> None:
        folder.mkdir()
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=False, max_timeouts=0)
        self.client = AsyncClient(session.url, session.user_id, session.device_id, str(folder), config)
        self.client.restore_login(session.user_id, session.device_id, session.token or "")
        self.read: list[str] = []
        self.sealed: list[Any] = []
        self._loop: asyncio.Task[None] | None = None
        self.client.add_event_callback(self._take_in, (RoomMessageText, MegolmEvent))

    def start(self) -> None:
        """Sync, and do what encryption needs, in the background."""
        self._loop = asyncio.create_task(self.client.sync_forever(LONG_POLL_MS // 10, full_state=True))

    async def stop(self) -> None:
        """End the background work."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        await self.client.close()

    async def say(self, room_id: str, text: str) -> None:
        """Send an encrypted message."""
        content = {"msgtype": "m.text", "body": text}
        good(await self.client.room_send(room_id, "m.room.message", content, ignore_unverified_devices=True))

    async def knows(self, room_id: str, other: "Correspondent") -> bool:
        """Tell whether this client knows the room's encryption, the other as a member, and a device of the other."""
        room = self.client.rooms.get(room_id)
        devices = self.client.device_store.active_user_devices(other.client.user_id)
        return room is not None and room.encrypted and other.client.user_id in room.users and any(devices)

    async def has_read(self, texts: list[str]) -> bool:
        """Tell whether exactly these texts were read, each once."""
        return sorted(self.read) == sorted(texts)

    def _take_in(self, room: MatrixRoom, event: Event) -> None:
        if isinstance(event, MegolmEvent):
            self.sealed.append(event)
        elif isinstance(event, RoomMessageText) and event.decrypted:
            self.read.append(event.body)


def test_an_encrypted_conversation(border: Border, tmp_path: Path) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    run_apart(_converse(Border(border.host, border.guest), alice, bob, tmp_path))


async def _converse(border: Border, alice: Client, bob: Client, folder: Path) -> None:
    one, two = Correspondent(alice, folder / "alice"), Correspondent(bob, folder / "bob")
    for correspondent in (one, two):
        good(await correspondent.client.keys_upload())
    state = [{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
    created = good(await one.client.room_create(initial_state=state, invite=[bob.user_id]))
    room_id = str(created.room_id)
    try:
        one.start()
        two.start()
        await eventually(partial(_has, two.client.invited_rooms, room_id), "the invite")
        good(await two.client.join(room_id))
        for correspondent, other in ((one, two), (two, one)):
            await eventually(partial(correspondent.knows, room_id, other), "the other's devices")
        said: list[str] = []
        for number in range(ROUNDS):
            for speaker, listener in ((one, two), (two, one)):
                said.append(f"{speaker.client.user_id} {number}")
                await speaker.say(room_id, said[-1])
                await eventually(partial(_has, listener.read, said[-1]), f"{said[-1]}, decrypted")
        assert one.sealed == two.sealed == []
        for correspondent in (one, two):
            await eventually(partial(correspondent.has_read, said), "each once")
    finally:
        await one.stop()
        await two.stop()


async def _has(box: Container[str], wanted: str) -> bool:
    return wanted in box
