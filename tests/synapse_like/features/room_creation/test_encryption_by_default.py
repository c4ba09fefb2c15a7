"""Which new rooms are encrypted without being asked for it."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.kit.homeserver import TestServer, server

__all__ = ["server"]

MEGOLM = {"algorithm": "m.megolm.v1.aes-sha2"}


async def algorithm(server: TestServer, token: str, **options: Any) -> Any:
    room_id = await server.create_room(token, **options)
    path = f"/rooms/{quote(room_id)}/state/m.room.encryption/"
    answer = await server.request("GET", path, token=token)
    return answer.body.get("algorithm")


async def of_presets(server: TestServer) -> dict[str, bool]:
    token = await server.register("alice")
    presets = ("public_chat", "private_chat", "trusted_private_chat")
    found = {preset: await algorithm(server, token, preset=preset) is not None for preset in presets}
    told = (await server.ok("GET", "/_matrix/client/versions"))["unstable_features"]
    names = {"public_chat": "public", "private_chat": "private", "trusted_private_chat": "trusted_private"}
    assert found == {preset: told[f"io.element.e2ee_forced.{name}"] for preset, name in names.items()}
    return found


async def test_none_by_default(server: TestServer) -> None:
    assert await of_presets(server) == {"public_chat": False, "private_chat": False, "trusted_private_chat": False}


@pytest.mark.config(encryption_enabled_by_default_for_room_type=False)
async def test_off_as_yaml_reads_it(server: TestServer) -> None:
    assert not any((await of_presets(server)).values())


@pytest.mark.config(encryption_enabled_by_default_for_room_type="invite")
async def test_those_by_invitation(server: TestServer) -> None:
    assert await of_presets(server) == {"public_chat": False, "private_chat": True, "trusted_private_chat": True}


@pytest.mark.config(encryption_enabled_by_default_for_room_type="all")
async def test_all_but_spaces_and_who_says_how(server: TestServer) -> None:
    assert all((await of_presets(server)).values())
    token = await server.register("bob")
    assert await algorithm(server, token, creation_content={"type": "m.space"}) is None
    own = {"type": "m.room.encryption", "content": {"algorithm": "org.example.own"}}
    assert await algorithm(server, token, initial_state=[own]) == "org.example.own"


@pytest.mark.config(encryption_enabled_by_default_for_room_type="all")
async def test_a_room_that_replaces_an_encrypted_one_is_encrypted(server: TestServer) -> None:
    token = await server.register("alice")
    room_id = await server.create_room(token, room_version="11")
    body = {"new_version": "12"}
    new = (await server.ok("POST", f"/rooms/{quote(room_id)}/upgrade", body, token=token))["replacement_room"]
    path = f"/rooms/{quote(new)}/state/m.room.encryption/"
    assert await server.ok("GET", path, token=token) == MEGOLM
