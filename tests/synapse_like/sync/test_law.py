"""The law of sync: an initial sync and any number of incremental ones equal a fresh initial sync."""

import pytest

from synapse_like.features.profile import ProfileSpread
from tests.kit.homeserver import TestServer
from tests.kit.random_life import Life
from tests.kit.sync_client import SyncClient, differences, vanished

USERS = ("alice", "bob", "carol")


@pytest.mark.parametrize("seed", range(8))
async def test_following_along_equals_beginning_afresh(server: TestServer, seed: int) -> None:
    tokens = {name: await server.register(name) for name in USERS}
    life = Life(server, tokens, seed)
    clients = {(name, after): SyncClient(server, tokens[name], after) for name in USERS for after in (False, True)}
    for _ in range(60):
        for _ in range(life.random.choice([1, 2, 5])):
            await life.act()
        for client in clients.values():
            if life.random.random() < 0.4:
                await client.sync()
    await server.homeserver.front(ProfileSpread).idle()  # names go from room to room after their change was answered
    gone = await vanished(server)
    for (name, after), client in clients.items():
        await client.catch_up()
        fresh = SyncClient(server, tokens[name], after)
        await fresh.sync()
        wrong = differences(client, fresh, gone)
        assert not wrong, "\n".join([f"seed {seed}, {name}, state_after={after}", *wrong, *life.history[-60:]])
