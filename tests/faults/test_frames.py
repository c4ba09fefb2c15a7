"""The bus delays, repeats and loses frames, or brings those of another release: everybody still sees the same.

In-process groups, for here the faults are in the frames themselves.
"""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from replication.bus import Frame
from replication.calls import wire
from replication.codec import MINOR, FrameCodec
from tests.faults.scene import ROUNDS
from tests.kit.group import Group, group
from tests.synapse_like.sync.test_law import live_and_compare

__all__ = ["group"]

LOST, REPEATED, DELAYED = 0.2, 0.2, 0.3
LONGEST_DELAY_SECONDS = 0.3


def damage(shared_group: Group, seed: int) -> dict[str, int]:
    """From now on frames to every member are lost, come twice, or late and out of order; how many, by what.

    Ephemeral ones are left alone: nothing repeats them, and they may be lost with their owner.
    """
    chance = random.Random(seed)
    done = {"lost": 0, "repeated": 0, "delayed": 0}
    clock = shared_group.homeserver.kit.clock
    for member in shared_group.members:
        bus = member.sharing.bus

        def hear(data: bytes, bus: Any = bus, take: Callable[[bytes], None] = bus._carrier.on_frame) -> None:
            found = bus._codec.decode(data)
            if found is not None and found[1].first == 0:
                take(data)
                return
            if chance.random() < LOST:
                done["lost"] += 1
                return
            for _ in range(2 if chance.random() < REPEATED else 1):
                if chance.random() < DELAYED:
                    done["delayed"] += 1
                    clock.call_later(chance.random() * LONGEST_DELAY_SECONDS, lambda: take(data))
                else:
                    done["repeated"] += 1
                    take(data)

        bus._carrier.on_frame = hear
    return done


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_a_bad_bus_changes_nothing(group: Group, seed: int) -> None:
    done = damage(group, seed)
    await live_and_compare(group, 200 + seed)
    assert all(done.values()), done


class CodecOfTomorrow:
    """Speaks as a later release: one more field in every fact, and a fact of a stream that is not known yet."""

    def __init__(self, today: FrameCodec) -> None:
        self._today = today
        self._encoder = msgspec.msgpack.Encoder()

    def encode(self, sender: str, frame: Frame) -> bytes:
        """The bytes of a frame."""
        wired = msgspec.msgpack.decode(self._today.encode(sender, frame))
        wired[1] = MINOR + 1
        wired[8] = [[name, {**fact, "of_tomorrow": [1, {}]}] for name, fact in wired[8]]
        wired[8].append(["tomorrow", {"number": 0, "anything": "else"}])
        return self._encoder.encode([*wired, "a field of frames that is not known yet"])

    def decode(self, data: bytes) -> tuple[str, Frame] | None:
        """(sender, frame)."""
        return self._today.decode(data)


@pytest.mark.timeout(300)
async def test_releases_live_side_by_side(group: Group) -> None:
    """Half of the processes are a release ahead, one is a release behind."""
    for member in group.members[::2]:
        member.sharing.bus._codec = CodecOfTomorrow(member.sharing.codec)
        member.sharing.peers._station.minor = wire.MINOR + 1
    behind = group.members[1].sharing
    behind.codec._minor = MINOR - 1
    behind.peers._station.minor = wire.MINOR - 1
    await live_and_compare(group, 300)
    assert all(member.sharing.bus.heard for member in group.members)
