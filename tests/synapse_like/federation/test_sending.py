"""Events that go out: to whom, in which order, in how many transactions; and what happens to servers that are away."""

import pytest

from synapse_like.federation.errors import RemoteError
from synapse_like.federation.outbound import Backoffs, Sender
from tests.kit.homeserver import TestServer
from tests.kit.remote_servers import Remotes, let_lag, member
from tests.synapse_like.test_observed import scraped

PATIENCE = {
    "destination_min_retry_interval": "200ms",
    "destination_max_retry_interval": "200ms",
    "destination_retry_multiplier": 1,
}


async def alice_with(server: TestServer, *others: str, **options) -> tuple[str, str]:
    """Alice's token, and a room of hers that these users of other servers have joined."""
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat", **options)
    for user_id in others:
        await member(server, room_id, user_id)
    return alice, room_id


async def test_each_server_in_the_room_gets_each_event_once_and_in_order(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one", "@carol:one", "@dan:two")
    sent = [f"message {number}" for number in range(20)]
    for text in sent:
        await server.send(alice, room_id, text)
    await remotes.quiet()
    assert remotes.texts("one") == remotes.texts("two") == sent
    assert {pdu["sender"] for pdu in remotes.pdus("one")} == {"@alice:test"}
    assert all("unsigned" not in pdu for pdu in remotes.pdus("one"))


async def test_rooms_without_other_servers_send_nothing(server: TestServer, remotes: Remotes) -> None:
    alice, _ = await alice_with(server, "@bob:one")
    await remotes.quiet()
    before = dict(remotes.tries)
    alone = await server.create_room(alice)
    await server.send(alice, alone)
    await remotes.quiet()
    assert dict(remotes.tries) == before


async def test_what_waits_goes_out_together(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one")
    await remotes.quiet()
    remotes.hold("one")
    sent = [f"message {number}" for number in range(61)]
    for text in sent:
        await server.send(alice, room_id, text)
    await server.caught_up()
    assert len(remotes.held["one"]) == 1
    remotes.release("one")
    await remotes.quiet()
    assert remotes.texts("one") == sent
    assert [len(body["pdus"]) for _, body in remotes.transactions["one"]][-3:] == [1, 50, 10]


async def test_a_server_hears_what_happened_up_to_its_departure(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one", "@dan:two")
    await server.send(alice, room_id, "with bob")
    await server.ok("POST", f"/rooms/{room_id}/kick", {"user_id": "@bob:one"}, token=alice)
    await server.send(alice, room_id, "without bob")
    await remotes.quiet()
    assert remotes.texts("one") == ["with bob"]
    assert remotes.pdus("one")[-1]["content"]["membership"] == "leave"
    assert remotes.texts("two") == ["with bob", "without bob"]


async def test_a_slow_server_delays_nobody_else(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:slow", "@dan:two")
    remotes.hold("slow")
    for number in range(5):
        await server.send(alice, room_id, f"message {number}")
    await remotes.until(lambda: len(remotes.texts("two")) == 5)
    assert not remotes.texts("slow")
    remotes.release("slow")
    await remotes.quiet()
    assert len(remotes.texts("slow")) == 5


@pytest.mark.config(federation=PATIENCE)
async def test_a_transaction_keeps_its_id_until_it_is_taken(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one")
    await remotes.quiet()
    remotes.dead.add("one")
    await server.send(alice, room_id, "first")
    await remotes.quiet()
    await server.send(alice, room_id, "second")
    await remotes.until(lambda: len(remotes.tries["one"]) >= 3)
    assert len(set(remotes.tries["one"])) == 1
    remotes.dead.clear()
    await remotes.until(lambda: len(remotes.texts("one")) == 2)
    assert remotes.texts("one") == ["first", "second"]
    assert len({transaction_id for transaction_id, _ in remotes.transactions["one"]}) == 2


async def test_a_server_that_is_heard_from_is_tried_at_once(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one")
    backoffs: Backoffs = server.homeserver.front(Backoffs)
    remotes.dead.add("one")
    await server.send(alice, room_id, "lost?")
    await remotes.quiet()
    assert backoffs.of("one") is not None
    tries = len(remotes.tries["one"])
    await server.send(alice, room_id, "not tried")
    await remotes.quiet()
    assert len(remotes.tries["one"]) == tries
    remotes.dead.clear()
    backoffs.heard_from("one")
    await remotes.until(lambda: len(remotes.texts("one")) == 2)
    assert remotes.texts("one") == ["lost?", "not tried"]


@pytest.mark.config(federation=PATIENCE)
async def test_a_transaction_that_is_refused_for_good_does_not_stop_the_others(
    server: TestServer, remotes: Remotes
) -> None:
    alice, room_id = await alice_with(server, "@bob:one")
    await remotes.quiet()
    remotes.errors["one"] = lambda: RemoteError("one", 400, {"errcode": "M_BAD_JSON"})
    await server.send(alice, room_id, "poison")
    await remotes.until(lambda: len(set(remotes.tries["one"])) == 1 and len(remotes.tries["one"]) == 4)
    remotes.errors.clear()
    await server.send(alice, room_id, "wholesome")
    await remotes.until(lambda: remotes.texts("one"))
    assert remotes.texts("one") == ["wholesome"]


async def test_who_was_away_for_long_gets_what_was_missed(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one", "@dan:two")
    other = await server.create_room(alice, preset="public_chat")
    await member(server, other, "@bob:one")
    await server.send(alice, room_id, "before")
    await remotes.quiet()
    sender: Sender = server.homeserver.front(Sender)
    remotes.dead.add("one")
    await server.send(alice, room_id, "missed 0")
    await remotes.quiet()
    queue = let_lag(sender, "one")
    await sender.save()
    for number in range(1, 5):
        await server.send(alice, room_id, f"missed {number}")
    for number in range(60):
        await server.send(alice, other, f"many {number}")
    await remotes.quiet()
    assert not queue.pdus and not queue.is_attached
    remotes.dead.clear()
    server.homeserver.front(Backoffs).heard_from("one")
    await remotes.until(lambda: "many 59" in remotes.texts("one"))
    await server.send(alice, room_id, "after")
    await remotes.quiet()
    texts = remotes.texts("one")
    assert [text for text in texts if not text.startswith("many")] == [
        "before",
        *(f"missed {number}" for number in range(5)),
        "after",
    ]
    assert [text for text in texts if text.startswith("many")] == ["many 59"]
    assert len(remotes.texts("two")) == 7
    await sender.save()
    await sender.save(is_forced=True)
    assert queue.lag is None


async def test_who_was_removed_while_away_gets_what_came_before(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one", "@dan:two")
    await remotes.quiet()
    sender: Sender = server.homeserver.front(Sender)
    remotes.dead.add("one")
    await server.send(alice, room_id, "with bob")
    await remotes.quiet()
    let_lag(sender, "one")
    await server.ok("POST", f"/rooms/{room_id}/kick", {"user_id": "@bob:one"}, token=alice)
    await server.send(alice, room_id, "without bob")
    await remotes.quiet()
    remotes.dead.clear()
    server.homeserver.front(Backoffs).heard_from("one")
    await remotes.quiet()
    assert remotes.texts("one") == ["with bob"]
    assert remotes.pdus("one")[-1]["content"]["membership"] == "leave"


async def test_an_invite_taken_back_is_told_to_the_server_of_the_user(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server)
    await server.ok("POST", f"/rooms/{room_id}/ban", {"user_id": "@eve:far"}, token=alice)
    await remotes.quiet()
    assert [pdu["content"]["membership"] for pdu in remotes.pdus("far")] == ["ban"]


@pytest.mark.config(federation_domain_blocklist=["bad", "*.bad"])
async def test_blocked_servers_get_nothing(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:bad", "@bob:also.bad", "@dan:good")
    await server.send(alice, room_id)
    await remotes.quiet()
    assert list(remotes.tries) == ["good"]


@pytest.mark.config(federation_enabled=False)
async def test_nothing_is_sent_if_federation_is_off(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one")
    await server.send(alice, room_id)
    await server.caught_up()
    assert not remotes.tries


async def test_how_sending_goes_is_shown(server: TestServer, remotes: Remotes) -> None:
    alice, room_id = await alice_with(server, "@bob:one", "@dan:two")
    await remotes.quiet()
    before = await scraped(server)
    remotes.hold("one")
    for number in range(3):
        await server.send(alice, room_id, f"message {number}")
    await server.caught_up()
    during = await scraped(server)
    assert during["federation_queues",] >= 1
    assert during["federation_pdus_waiting",] >= 2
    remotes.release("one")
    await remotes.quiet()
    after = await scraped(server)
    assert after["federation_transactions_sent_total",] >= before["federation_transactions_sent_total",] + 3
    assert after["federation_pdus_waiting",] == after["federation_servers_lagging",] == 0
