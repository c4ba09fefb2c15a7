"""One room on three servers: two of ours and a Synapse."""

from collections.abc import Iterator

import pytest

from tests.federation.conftest import open_ours
from tests.federation.sides import (
    Side,
    act,
    eventually,
    join,
    joined_rooms,
    person,
    try_join,
    wait_for_bodies,
    wait_for_membership,
    wait_for_same_state,
)
from tests.kit.peers import Peer, running
from tests.kit.synapse import Partner


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, partner: Partner) -> Iterator[Peer]:
    """Another server of ours, on SQLite."""
    with running(open_ours(tmp_path_factory.mktemp("second"), "sqlite")) as peer:
        yield peer


@pytest.mark.parametrize("version", ["1", "10", "12"])
@pytest.mark.parametrize("order", ["ours first", "partner first", "partner between"])
def test_a_room_on_three_servers(ours: Peer, second: Peer, partner: Partner, order: str, version: str) -> None:
    """Each joins over the one before; all hear all; a ban by one holds for all."""
    orders: dict[str, tuple[Side, Side, Side]] = {
        "ours first": (ours, second, partner),
        "partner first": (partner, ours, second),
        "partner between": (ours, partner, second),
    }
    sides = orders[order]
    alice, bob, carol = (person(side, name) for side, name in zip(sides, ("alice", "bob", "carol"), strict=True))
    room_id = alice.create_room(preset="public_chat", room_version=version)
    join(bob, room_id, sides[0].server_name)
    wait_for_same_state(room_id, alice, bob)
    join(carol, room_id, sides[1].server_name)
    wait_for_same_state(room_id, alice, bob, carol)
    texts = set()
    for number in range(5):
        for client in (alice, bob, carol):
            text = f"{client.user_id} {number}"
            client.send(room_id, text, text)
            texts.add(text)
    for client in (alice, bob, carol):
        wait_for_bodies(client, room_id, texts)
    act(alice, room_id, "ban", bob.user_id)
    wait_for_membership(carol, room_id, bob.user_id, "ban")
    eventually(lambda: room_id not in joined_rooms(bob), "the banned being out")
    for via in (sides[0], sides[2]):
        assert try_join(bob, room_id, via.server_name)[0] == 403
    for client in (alice, carol):
        client.send(room_id, f"without him, {client.user_id}", "after")
    after = {f"without him, {client.user_id}" for client in (alice, carol)}
    for client in (alice, carol):
        wait_for_bodies(client, room_id, after)
    wait_for_same_state(room_id, alice, carol)
