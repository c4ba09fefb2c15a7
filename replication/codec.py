"""Frames as bytes, for a bus between processes.

A frame says which version it is of. Facts are msgpack maps by the names of their fields: a reader of the release before
passes over fields and streams that it does not know, and fills in the defaults of those that it misses.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from replication.bus import Frame
from replication.streams import Fact, Stream

logger = logging.getLogger(__name__)

MAJOR: Final = 1
MINOR: Final = 1


class _WireFrame(msgspec.Struct, array_like=True):
    major: int
    minor: int
    sender: str
    family: str
    shard: int
    epoch: int
    first: int
    last: int
    facts: list[tuple[str, msgspec.Raw]]


_FRAMES = msgspec.msgpack.Encoder()
_READ = msgspec.msgpack.Decoder(_WireFrame)


class FrameCodec:
    """Turns frames into bytes and back, for the streams that are registered. `minor` is pinned only by tests."""

    def __init__(self, minor: int = MINOR) -> None:
        self._minor = minor
        self._encoders: dict[str, Callable[[Any], bytes]] = {}
        self._decoders: dict[str, Callable[[Any], Fact]] = {}
        self._unknown: set[str] = set()

    def register(self, stream: Stream[Any]) -> None:
        """Learn how a stream's facts look."""
        form = stream.wire
        if form is None:
            self._encoders[stream.name] = msgspec.msgpack.Encoder().encode
            self._decoders[stream.name] = msgspec.msgpack.Decoder(stream.fact).decode
            return
        self._encoders[stream.name] = msgspec.msgpack.Encoder(enc_hook=form.enc_hook).encode
        self._decoders[stream.name] = msgspec.msgpack.Decoder(stream.fact, dec_hook=form.dec_hook).decode

    def encode(self, sender: str, frame: Frame) -> bytes:
        """The bytes of a frame; `sender` names the process that publishes it."""
        facts = [(name, msgspec.Raw(self._encoders[name](fact))) for name, fact in frame.facts]
        head = (MAJOR, self._minor, sender, frame.family, frame.shard, frame.epoch, frame.first, frame.last)
        return _FRAMES.encode(_WireFrame(*head, facts))

    def decode(self, data: bytes) -> tuple[str, Frame] | None:
        """(sender, frame); None for bytes that are no frame, or one of another major version."""
        try:
            wire = _READ.decode(data)
            if wire.major != MAJOR:
                return None
            facts = tuple(self._known(wire.facts))
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError, KeyError, TypeError) as error:
            logger.error("a frame cannot be read: %s", error)
            return None
        return wire.sender, Frame(wire.family, wire.shard, wire.epoch, wire.first, wire.last, facts)

    def _known(self, facts: Iterable[tuple[str, msgspec.Raw]]) -> Iterable[tuple[str, Fact]]:
        for name, raw in facts:
            decode = self._decoders.get(name)
            if decode is not None:
                yield name, decode(raw)
            elif name not in self._unknown:
                self._unknown.add(name)
                logger.info("this release knows no stream %s; its facts are passed over", name)
