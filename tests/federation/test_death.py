"""Our process is killed while transactions come in and go out: nothing is lost, nothing is there twice."""

from pathlib import Path

import pytest

from tests.federation.conftest import open_ours
from tests.federation.sides import join, person, wait_for_bodies, wait_for_same_state
from tests.federation.talking import Talker
from tests.kit.peers import running
from tests.kit.synapse import Partner
from tests.walks.senders import Crowd, Sender

KILLS = 2
MESSAGES_BETWEEN = 15


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_killed_server_loses_and_repeats_nothing(partner: Partner, tmp_path: Path, kind: str) -> None:
    ours = open_ours(tmp_path, kind)
    with running(ours):
        alice, bob = person(partner, "alice"), person(ours, "bob")
        room_id = alice.create_room(preset="public_chat")
        join(bob, room_id, partner.server_name)
        wait_for_same_state(room_id, alice, bob)
        talker, sender = Talker(alice, room_id), Sender(bob, room_id)
        for _ in range(KILLS):
            crowd = Crowd([sender])
            crowd.wait_for(MESSAGES_BETWEEN)
            ours.kill9()
            crowd.join()
            assert crowd.surprises() == []
            ours.start()
            if sender.doubtful is not None:
                sender.send(sender.doubtful)
        said = talker.stop()
        alice.send(room_id, "all said", "end")
        said |= {*(sender.text(number) for number in sender.acknowledged), "all said"}
        for client in (alice, bob):
            wait_for_bodies(client, room_id, said)
        wait_for_same_state(room_id, alice, bob)
