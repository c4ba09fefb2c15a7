"""Who closes an account leaves every room and refuses every invite."""

from twisted.internet import reactor
from twisted.internet.task import deferLater

from synapse_like.features.accounts import Accounts
from tests.kit.homeserver import TestServer, server
from tests.kit.room_features import member_of

__all__ = ["server"]


async def test_closed_accounts_leave(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    joined = await server.create_room(alice, preset="public_chat")
    invited = await server.create_room(alice, invite=["@bob:test"])
    await server.join(bob, joined)
    await deferLater(reactor, 0)
    await server.homeserver.front(Accounts).depart("@bob:test", False)
    for room_id in (joined, invited):
        assert await member_of(server, room_id, "bob") == "leave"
        assert await member_of(server, room_id, "alice") == "join"
