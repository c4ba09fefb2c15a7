"""Messages to devices of other servers' users: in order, until acknowledged, through a kill; and from those."""

from pathlib import Path
from typing import Any

import pytest

from synapse_like.federation.edus import EduReception
from synapse_like.federation.outbound import Outbox, Sender
from synapse_like.federation.outbound.outbox import KEPT_MS
from tests.kit.accounts import move_clock
from tests.kit.homeserver import TestServer, settings
from tests.kit.remote_servers import Remotes, start_with_remotes

BOB = "@bob:one"


async def send(server: TestServer, token: str, text: str, user_id: str = BOB) -> None:
    content = {"messages": {user_id: {"PHONE": {"text": text}}}}
    await server.ok("PUT", f"/sendToDevice/m.test/{text}", content, token=token)


def texts(remotes: Remotes, destination: str = "one") -> list[str]:
    edus = remotes.edus(destination, "m.direct_to_device")
    return [device["text"] for edu in edus for devices in edu["messages"].values() for device in devices.values()]


async def test_messages_go_out_in_order_and_once(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    sent = [f"m{number}" for number in range(120)]
    remotes.hold("one")
    for text in sent:
        await send(server, alice, text)
    remotes.release("one")
    await remotes.until(lambda: len(texts(remotes)) == 120)
    assert texts(remotes) == sent
    assert all(len(body["edus"]) <= 100 for _, body in remotes.transactions["one"])
    edus = remotes.edus("one")
    assert len({edu["message_id"] for edu in edus}) == 120
    assert {(edu["sender"], edu["type"]) for edu in edus} == {("@alice:test", "m.test")}
    await remotes.quiet()
    sender: Sender = server.homeserver.front(Sender)
    await sender.look_for_stored()
    await remotes.quiet()
    assert len(texts(remotes)) == 120


async def test_a_large_request_is_cut_into_pieces_that_fit(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    messages = {f"@u{number}:one": {"*": {"text": "x" * 5_000}} for number in range(30)}
    await server.ok("PUT", "/sendToDevice/m.test/big", {"messages": messages}, token=alice)
    await remotes.until(lambda: len(texts(remotes)) == 30)
    edus = remotes.edus("one")
    assert len(edus) > 1 and len({edu["message_id"] for edu in edus}) == len(edus)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_messages_outlive_the_process_and_keep_their_ids(kind: str, tmp_path: Path) -> None:
    config = settings(kind, tmp_path, {})
    server, remotes = await start_with_remotes(config)
    alice = await server.register("alice")
    remotes.hold("one")
    await send(server, alice, "first")
    await remotes.until(lambda: remotes.tries["one"])
    await send(server, alice, "second")
    await server.homeserver.stop()
    server, remotes = await start_with_remotes(config)
    await remotes.until(lambda: len(texts(remotes)) == 2)
    assert texts(remotes) == ["first", "second"]
    ids = [edu["message_id"] for edu in remotes.edus("one")]
    await send(server, alice, "first")
    await remotes.until(lambda: len(texts(remotes)) == 3)
    assert remotes.edus("one")[-1]["message_id"] == ids[0], "a repeated request is known by its id"
    await server.homeserver.stop()


async def test_messages_come_in_once(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    since = (await server.sync(alice))["next_batch"]
    edus: EduReception = server.homeserver.front(EduReception)
    content: dict[str, Any] = {"sender": BOB, "type": "m.test", "message_id": "1", "messages": {}}
    content["messages"] = {"@alice:test": {"*": {"text": "hello"}}}
    for _ in range(2):
        await edus.receive("one", [{"edu_type": "m.direct_to_device", "content": content}])
    for other in ({**content, "message_id": "2", "sender": "@carol:two"}, {**content, "message_id": "3", "type": 5}):
        await edus.receive("one", [{"edu_type": "m.direct_to_device", "content": other}])
    await server.caught_up()
    events = (await server.sync(alice, since))["to_device"]["events"]
    assert events == [{"sender": BOB, "type": "m.test", "content": {"text": "hello"}}]


async def test_what_nobody_takes_for_months_is_forgotten(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    remotes.dead.add("one")
    await send(server, alice, "old")
    await remotes.quiet()
    outbox = server.homeserver.front(Outbox)
    await outbox.purge()
    kept = "SELECT id FROM outbound_edus"
    database = server.homeserver.kit.database
    assert await database.read(lambda txn: txn.all(kept))
    move_clock(server, KEPT_MS + 1000)
    await outbox.purge()
    assert not await database.read(lambda txn: txn.all(kept))


@pytest.mark.config(federation_domain_blocklist=["one"])
async def test_nothing_is_stored_for_blocked_servers(server: TestServer, remotes: Remotes) -> None:
    alice = await server.register("alice")
    await send(server, alice, "no")
    rows = await server.homeserver.kit.database.read(lambda txn: txn.all("SELECT * FROM outbound_edus"))
    assert not rows
