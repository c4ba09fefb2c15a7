"""The sender dies at a bad moment and comes back: nothing is lost, and what is sent again is known by its id."""

from pathlib import Path
from typing import Any

import pytest

from synapse_like.federation.outbound import Sender
from tests.kit.homeserver import TestServer, settings
from tests.kit.remote_servers import let_lag, member, start_with_remotes


async def die(server: TestServer) -> None:
    """End as a kill would: nothing is noted any more, and what is under way never comes back."""
    sender: Any = server.homeserver.front(Sender)

    async def nothing(**_: Any) -> None:
        pass

    sender.save = nothing
    await server.homeserver.stop()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_kill_during_a_transaction_loses_nothing(kind: str, tmp_path: Path) -> None:
    config = settings(kind, tmp_path, {})
    server, remotes = await start_with_remotes(config)
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat")
    for user_id in ("@bob:one", "@dan:two"):
        await member(server, room_id, user_id)
    await server.send(alice, room_id, "noted")
    await remotes.quiet()
    await server.homeserver.front(Sender).save()
    remotes.hold("two")
    for text in ("under way", "waiting", "waiting too"):
        await server.send(alice, room_id, text)
    await remotes.until(lambda: len(remotes.texts("one")) == 4)
    await server.caught_up()
    before = remotes.transactions
    await die(server)

    server, remotes = await start_with_remotes(config)
    await server.send(alice, room_id, "after")
    await remotes.until(lambda: "after" in remotes.texts("one") and "after" in remotes.texts("two"))
    assert remotes.texts("two") == ["under way", "waiting", "waiting too", "after"]
    again = {transaction_id for name in remotes.transactions for transaction_id, _ in remotes.transactions[name]}
    assert again.isdisjoint(transaction_id for name in before for transaction_id, _ in before[name])
    known = {pdu["hashes"]["sha256"] for _, body in before["one"] for pdu in body["pdus"]}
    fresh = [pdu for pdu in remotes.pdus("one") if pdu["hashes"]["sha256"] not in known]
    assert [pdu["content"]["body"] for pdu in fresh] == ["after"]
    await server.homeserver.stop()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_what_was_noted_is_not_sent_again(kind: str, tmp_path: Path) -> None:
    config = settings(kind, tmp_path, {})
    server, remotes = await start_with_remotes(config)
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat")
    await member(server, room_id, "@bob:one")
    await server.send(alice, room_id, "noted")
    await remotes.quiet()
    await server.homeserver.stop()
    server, remotes = await start_with_remotes(config)
    await remotes.quiet()
    assert not remotes.tries
    await server.homeserver.stop()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_who_lagged_before_the_restart_still_does(kind: str, tmp_path: Path) -> None:
    config = settings(kind, tmp_path, {})
    server, remotes = await start_with_remotes(config)
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat")
    await member(server, room_id, "@bob:one")
    await remotes.quiet()
    remotes.dead.add("one")
    await server.send(alice, room_id, "missed")
    await remotes.quiet()
    sender: Sender = server.homeserver.front(Sender)
    let_lag(sender, "one")
    await sender.save()
    await server.send(alice, room_id, "missed too")
    await remotes.quiet()
    await die(server)
    server, remotes = await start_with_remotes(config)
    sender = server.homeserver.front(Sender)
    await remotes.quiet()
    assert not remotes.tries, "it is still left alone"
    sender.reset("one")
    await remotes.until(lambda: len(remotes.texts("one")) == 2)
    assert remotes.texts("one") == ["missed", "missed too"]
    await server.homeserver.stop()
