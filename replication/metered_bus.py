"""A bus that counts: what this process publishes, and what it hears."""

from replication.bus import Bus, Frame, Listener
from replication.ports import Meters


class MeteredBus:
    """Passes everything on to another bus."""

    def __init__(self, bus: Bus, meters: Meters) -> None:
        self._bus = bus
        self._meters = meters
        bus.listen(self._hear)

    def publish(self, frame: Frame) -> None:
        """Send a frame to all listeners of all processes, this one included."""
        self._meters.published(frame.family, _kind(frame), [stream for stream, _ in frame.facts])
        self._bus.publish(frame)

    def listen(self, listener: Listener) -> None:
        """Hear every frame from now on."""
        self._bus.listen(listener)

    def _hear(self, frame: Frame) -> None:
        self._meters.heard(frame.family, _kind(frame), len(frame.facts))


def _kind(frame: Frame) -> str:
    if frame.first == 0:
        return "ephemeral"
    return "facts" if frame.first <= frame.last else "position"
