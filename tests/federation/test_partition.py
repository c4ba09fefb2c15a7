"""The network between two servers falls apart, both sides change the same things, and it heals.

Then both report the same state, have all messages, and go on. What each side does is drawn by a seed: power levels,
members, the ways in and plain state, so that each version's state resolution has work on both servers.
"""

import os
import random
from collections.abc import Iterator, Sequence

import pytest

from tests.federation.conftest import open_ours
from tests.federation.sides import (
    content,
    join,
    person,
    room_path,
    wait_for_bodies,
    wait_for_membership,
    wait_for_same_state,
)
from tests.kit.client import Client
from tests.kit.peers import Peer, running
from tests.kit.synapse import Partner, Synapse

ACTIONS = 12
ALL = range(8)
PLAIN = (0, 1, 2, 7)  # the state resolution of version 1 may undo a membership, which takes messages with it
SEEDS = int(os.environ.get("SYNAPSE_LIKE_FEDERATION_SEEDS", "1"))


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory, partner: Partner) -> Iterator[tuple[Peer, Peer]]:
    """Our server and a Synapse of this module's own, each behind a crossing."""
    folder = tmp_path_factory.mktemp("parted")
    (folder / "synapse").mkdir()
    (folder / "ours").mkdir()
    database = {"name": "sqlite3", "args": {"database": str(folder / "synapse" / "homeserver.db")}}
    with running(open_ours(folder / "ours")) as ours, running(Synapse(folder / "synapse", database)) as synapse:
        yield ours, synapse


@pytest.mark.parametrize("version", ["1", "6", "10", "12"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_sides_agree_after_healing(parted: tuple[Peer, Peer], version: str, seed: int) -> None:
    chance = random.Random(f"{version} {seed}")
    sides = parted if chance.random() < 0.5 else parted[::-1]
    people = [[person(side, name) for name in ("admin", "mod", "member", "other")] for side in sides]
    room_id = _shared_room(people, sides[0], version)
    texts: set[str] = set()
    for _round in range(2):
        _part(parted)
        for number in range(ACTIONS):
            for side in people:
                everybody = [each for group in people for each in group]
                _act(chance, side, everybody, room_id, number, PLAIN if version == "1" else ALL)
        for side in people:
            texts |= _say(side[0], room_id, f"parted {_round}")
        _heal(parted)
        for side in people:
            texts |= _say(side[0], room_id, f"healed {_round}")
        admins = [side[0] for side in people]
        for admin in admins:
            wait_for_bodies(admin, room_id, texts)
        wait_for_same_state(room_id, *admins)


def _shared_room(people: list[list[Client]], host: Peer, version: str) -> str:
    """A room with all of them, two of whom on each side have power."""
    (alice, *locals_), (bob, *guests) = people
    room_id = alice.create_room(preset="public_chat", room_version=version)
    for client in (*locals_, bob, *guests):
        join(client, room_id, host.server_name)
        wait_for_membership(alice, room_id, client.user_id, "join")
    levels = content(alice, room_id, "m.room.power_levels")
    users = {bob.user_id: 99, locals_[0].user_id: 60, guests[0].user_id: 60}
    alice.put_state(room_id, "m.room.power_levels", {**levels, "users": {**levels["users"], **users}})
    wait_for_same_state(room_id, alice, bob)
    return room_id


def _act(
    chance: random.Random, side: list[Client], everybody: list[Client], room_id: str, number: int, kinds: Sequence[int]
) -> None:
    """One of a side does something, which its own server may refuse."""
    actor, target = chance.choice(side[:2]), chance.choice(everybody)
    choice = chance.choice(kinds)
    if choice < 3:
        kind = chance.choice(("m.room.name", "m.room.topic", "org.example.thing"))
        body = {kind.rpartition(".")[2]: f"{actor.user_id} {number}"}
        actor.request("PUT", room_path(room_id, "state", kind, ""), body)
    elif choice == 3:
        rule = chance.choice(("public", "invite"))
        actor.request("PUT", room_path(room_id, "state", "m.room.join_rules", ""), {"join_rule": rule})
    elif choice == 4:
        levels = content(side[0], room_id, "m.room.power_levels")
        change = {**levels["users"], target.user_id: chance.choice((0, 10, 55))}
        if target is not side[0] and target.user_id != everybody[0].user_id and target is not everybody[4]:
            path = room_path(room_id, "state", "m.room.power_levels", "")
            actor.request("PUT", path, {**levels, "users": change, "events_default": 0})
    elif choice in (5, 6) and target not in (everybody[0], everybody[4]):
        action = chance.choice(("kick", "ban", "unban", "invite"))
        actor.request("POST", room_path(room_id, action), {"user_id": target.user_id})
    else:
        leaver = chance.choice(side[2:])
        leaver.request("POST", room_path(room_id, chance.choice(("leave", "join"))), {})


def _say(client: Client, room_id: str, text: str) -> set[str]:
    text = f"{text}, {client.user_id}"
    client.send(room_id, text, text)
    return {text}


def _part(peers: tuple[Peer, Peer]) -> None:
    for peer in peers:
        assert peer.crossing is not None
        peer.crossing.close()


def _heal(peers: tuple[Peer, Peer]) -> None:
    for peer in peers:
        assert peer.crossing is not None
        peer.crossing.open()
