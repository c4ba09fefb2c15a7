"""The bus between processes: frames are handed over here at once, and to the others by a carrier.

Carriers are `hub_carrier` (TCP, through the process that holds the lease of the hub) and `redis_carrier`. A frame that
no carrier takes is lost, and nobody is harmed: readers see from the next one, or from the database, what they missed.
"""

from collections.abc import Callable
from typing import Protocol

from replication.bus import Bus, Frame, Listener, MemoryBus
from replication.codec import FrameCodec
from replication.ports import Clock


class Carrier(Protocol):
    """Carries bytes to all other processes. Delivery is not guaranteed, but their order is."""

    on_frame: Callable[[bytes], None]
    """Set by the bus: hears what comes from others (and may hear what it sent itself)."""

    def send(self, data: bytes) -> None:
        """Send to all others."""
        ...

    def has_listeners(self) -> bool:
        """Whether sending is of any use now."""
        ...


class SharedBus(Bus):
    """A bus for one of several processes, called `name`."""

    def __init__(self, name: str, clock: Clock, codec: FrameCodec, carrier: Carrier) -> None:
        self._name = name
        self._here = MemoryBus(clock)
        self._codec = codec
        self._carrier = carrier
        self.published = 0
        self.heard = 0
        carrier.on_frame = self._take

    def publish(self, frame: Frame) -> None:
        """Send a frame to all listeners of all processes, this one included."""
        self._here.publish(frame)
        self.published += 1
        if self._carrier.has_listeners():
            self._carrier.send(self._codec.encode(self._name, frame))

    def listen(self, listener: Listener) -> None:
        """Hear every frame from now on."""
        self._here.listen(listener)

    def _take(self, data: bytes) -> None:
        found = self._codec.decode(data)
        if found is None or found[0] == self._name:
            return
        self.heard += 1
        self._here.publish(found[1])
