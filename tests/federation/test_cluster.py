"""Our server as a cluster across the border: two writers, a receiver, two senders; and each of them killed once."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.federation import test_entering
from tests.federation.sides import Border, eventually, join, person, wait_for_bodies, wait_for_same_state
from tests.federation.talking import Talker
from tests.federation.test_room_life import walk
from tests.kit.cluster_peer import ClusterPeer
from tests.kit.peers import running
from tests.kit.synapse import Partner


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, partner: Partner) -> Iterator[ClusterPeer]:
    """The cluster, running for the tests of this module."""
    peer = ClusterPeer(tmp_path_factory.mktemp("cluster"))
    with running(peer):
        yield peer


def test_a_room_of_a_cluster_and_a_server(cluster: ClusterPeer, partner: Partner) -> None:
    walk(Border(cluster, partner), "12", cluster.url)


def test_a_room_of_a_server_and_a_cluster(cluster: ClusterPeer, partner: Partner) -> None:
    walk(Border(partner, cluster), "11", cluster.url)


def test_a_user_of_a_cluster_joins_once(cluster: ClusterPeer, partner: Partner) -> None:
    """The owner of a room that is not here yet is found before another server is asked to let the user in."""
    test_entering.test_members_of_a_space_may_join(Border(partner, cluster), "12")


@pytest.mark.parametrize("kind", ["event_writer", "federation_receiver", "federation_sender"])
def test_killed_processes_lose_and_repeat_nothing(cluster: ClusterPeer, partner: Partner, kind: str) -> None:
    alice, bob = person(partner, "alice"), person(cluster, "bob")
    room_id = alice.create_room(preset="public_chat")
    join(bob, room_id, partner.server_name)
    wait_for_same_state(room_id, alice, bob)
    talkers = [Talker(alice, room_id), Talker(bob, room_id)]
    for name in cluster.names(kind):
        before = [len(talker.said) for talker in talkers]
        cluster.kill9(name)
        eventually(partial(_have_gone_on, talkers, before), "both talking on without it")
        cluster.start_one(name)
    said = set().union(*(talker.stop() for talker in talkers))
    alice.send(room_id, "all said", "end")
    bob.send(room_id, "all said here too", "end")
    for client in (alice, bob):
        wait_for_bodies(client, room_id, {*said, "all said", "all said here too"})
    wait_for_same_state(room_id, alice, bob)


def _have_gone_on(talkers: list[Talker], before: list[int]) -> bool:
    return all(len(talker.said) > count + 5 for talker, count in zip(talkers, before, strict=True))
