"""Devices that nobody has used for long are deleted, if the server is told so."""

import pytest

from synapse_like.features.devices.config import DevicesConfig
from synapse_like.features.devices.stale import StaleDevices
from synapse_like.features.sessions import Devices
from tests.kit.accounts import is_alive, move_clock
from tests.kit.encryption import KeyDevice
from tests.kit.homeserver import TestServer, server
from tests.synapse_like.features.dehydrated_devices.test_dehydrated_devices import put

__all__ = ["server"]

DAY_MS = 24 * 60 * 60 * 1000


async def run_job(server: TestServer) -> None:
    kit = server.homeserver.kit
    await StaleDevices(server.homeserver.front(Devices), kit.clock, kit.config[DevicesConfig]).delete()


async def ids(device: KeyDevice) -> set[str]:
    return {each["device_id"] for each in (await device.ok("GET", "/devices"))["devices"]}


@pytest.mark.config(delete_stale_devices_after="30d")
async def test_what_was_not_seen_for_long_goes_with_its_session_and_keys(server: TestServer) -> None:
    alice = await KeyDevice.register(server, "alice")
    laptop, bob = await alice.login("LAPTOP"), await KeyDevice.register(server, "bob")
    await laptop.upload(2)
    await put(alice)
    for built in server.homeserver.built:
        for name, _, tick in built.ticks:
            if name == "sightings":
                await tick()
    move_clock(server, 29 * DAY_MS)
    await run_job(server)
    assert await ids(alice) == {"PHONE", "LAPTOP", "DEHYDRATED"}
    move_clock(server, 2 * DAY_MS)
    await alice.sync()
    await run_job(server)
    assert await ids(alice) == {"PHONE", "DEHYDRATED"}, "the one in use stays, as does the one that sleeps"
    assert not await is_alive(server, laptop.token)
    assert not await is_alive(server, bob.token)
    assert (await alice.query(alice.user_id))["device_keys"][alice.user_id].keys() == {"DEHYDRATED"}


async def test_nothing_goes_by_default(server: TestServer) -> None:
    alice = await KeyDevice.register(server, "alice")
    move_clock(server, 3000 * DAY_MS)
    await run_job(server)
    assert await ids(alice) == {"PHONE"}
