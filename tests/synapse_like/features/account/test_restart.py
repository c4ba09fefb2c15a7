"""What accounts and sessions are after a restart."""

from pathlib import Path

import pytest

from tests.kit.accounts import is_alive, proof, session
from tests.kit.homeserver import TestServer, settings, start


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_restart_ends_nothing_that_was_begun(kind: str, tmp_path: Path) -> None:
    config = settings(kind, tmp_path, {})
    server = await start(config)
    token = await server.register("alice", device_id="PHONE")
    gone = (await session(server, "alice"))["access_token"]
    await server.ok("POST", "/logout", token=gone)
    tokens = await session(server, "alice", device_id="LAPTOP", refresh_token=True)
    asked = await server.request("DELETE", "/devices/LAPTOP", {}, token=token)
    await server.homeserver.stop()

    server = await start(config)
    await server.quiet()
    server.queries.clear()
    assert await is_alive(server, token)
    assert len(server.queries) == 1
    assert not await is_alive(server, gone)
    await server.ok("POST", "/refresh", {"refresh_token": tokens["refresh_token"]})
    await server.ok("GET", "/devices/PHONE", token=token)
    auth = proof("alice", session=asked.body["session"])
    await server.ok("DELETE", "/devices/LAPTOP", {"auth": auth}, token=token)
    assert await devices_of(server, token) == ["PHONE"]
    await server.homeserver.stop()


async def devices_of(server: TestServer, token: str) -> list[str]:
    return [device["device_id"] for device in (await server.ok("GET", "/devices", token=token))["devices"]]
