"""The law of sync: an initial sync and any number of incremental ones equal a fresh initial sync."""

import pytest

from tests.kit.encryption import KeyDevice
from tests.kit.group import Group
from tests.kit.homeserver import TestServer
from tests.kit.random_life import Life
from tests.kit.sync_client import SyncClient, differences, vanished

USERS = ("alice", "bob", "carol")


@pytest.mark.parametrize("seed", range(8))
async def test_following_along_equals_beginning_afresh(server: TestServer, seed: int) -> None:
    await live_and_compare(server, seed)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(3))
async def test_it_does_so_across_processes(group: Group, seed: int) -> None:
    await live_and_compare(group, 100 + seed)


async def live_and_compare(server: TestServer, seed: int) -> None:
    """Let users live on a server, some of their clients following along; then compare with fresh clients."""
    phones = {name: await KeyDevice.register(server, name) for name in USERS}
    devices = {(name, False): phone for name, phone in phones.items()}
    devices |= {(name, True): await phone.login("TABLET") for name, phone in phones.items()}
    tokens = {name: phone.token for name, phone in phones.items()}
    life = Life(server, tokens, seed, list(devices.values()))
    clients = {key: SyncClient(server, device.token, key[1]) for key, device in devices.items()}
    for _ in range(60):
        for _ in range(life.random.choice([1, 2, 5])):
            await life.act()
        for client in clients.values():
            if life.random.random() < 0.4:
                await client.sync(timeout=life.random.choice([0, 1]))
    await server.idle()  # names go from room to room after their change was answered
    gone = await vanished(server)
    for (name, after), client in clients.items():
        await client.catch_up()
        await server.idle()  # what a client has got is written behind
        fresh = SyncClient(server, client.token, after)
        await fresh.sync()
        wrong = differences(client, fresh, gone)
        history = [*life.history[-60:], *life.keys.history[-20:]]
        assert not wrong, "\n".join([f"seed {seed}, {name}, state_after={after}", *wrong, *history])
        sent = life.keys.sent.get((f"@{name}:test", devices[name, after].device_id), [])
        assert [message["content"] for message in client.messages] == sent
        assert fresh.messages == []
