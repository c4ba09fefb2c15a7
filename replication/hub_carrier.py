"""Frames over TCP: everybody sends to the process that holds the lease of the hub, which sends on to all others.

It rides on the connections that processes call each other by. When the hub moves, its followers find the new one in the
registry; what was lost meanwhile they see in the database.
"""

import logging
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from replication.calls import Channel, Peers, Unreachable
from replication.ports import Clock
from replication.registry import Worker

logger = logging.getLogger(__name__)

FRAME: Final = "frame"
FOLLOW: Final = "follow"
RETRY_SECONDS: Final = 0.5


class HubCarrier:
    """This process's part: it follows the hub, and is the hub while it holds the lease."""

    def __init__(self, name: str, peers: Peers, clock: Clock) -> None:
        self.on_frame: Callable[[bytes], None] = lambda data: None
        self._name = name
        self._peers = peers
        self._clock = clock
        self._hub: Worker | None = None
        self._channel: Channel | None = None
        self._followers: set[Channel] = set()
        self._is_following = False
        self._is_closed = False

    def send(self, data: bytes) -> None:
        """Send to all others: by the hub, or as the hub."""
        if self._is_hub:
            self._send_on(data, None)
        elif self._channel is not None:
            self._channel.note(FRAME, data)

    def has_listeners(self) -> bool:
        """Whether there is anybody to send to."""
        return bool(self._followers) if self._is_hub else self._channel is not None and self._channel.is_open

    def follow(self, hub: Worker | None) -> None:
        """The process that holds the lease of the hub, as the registry says now."""
        if hub == self._hub:
            return
        self._hub = hub
        self._channel = None
        if not self._is_hub:
            self._followers.clear()
        self._try()

    def took_note(self, channel: Channel, topic: str, body: bytes) -> None:
        """A note has come on a connection."""
        if topic == FOLLOW:
            self._followers.add(channel)
        elif topic == FRAME:
            self.on_frame(body)
            if self._is_hub:
                self._send_on(body, channel)

    def lost(self, channel: Channel) -> None:
        """A connection is gone."""
        self._followers.discard(channel)
        if channel is self._channel:
            self._channel = None
            self._try()

    def close(self) -> None:
        """Follow nobody any more."""
        self._is_closed = True

    @property
    def _is_hub(self) -> bool:
        return self._hub is not None and self._hub.name == self._name

    def _send_on(self, data: bytes, sender: Channel | None) -> None:
        for follower in self._followers:
            if follower is not sender:
                follower.note(FRAME, data)

    def _try(self) -> None:
        if self._hub is None or self._is_hub or self._is_following or self._channel is not None or self._is_closed:
            return
        self._is_following = True
        _ = Deferred.fromCoroutine(self._connect(self._hub)).addErrback(_log)

    async def _connect(self, hub: Worker) -> None:
        try:
            channel = await self._peers.channel(hub)
        except Unreachable as error:
            logger.info("the hub %s", error)
            self._clock.call_later(RETRY_SECONDS, self._again)
            return
        self._is_following = False
        if hub == self._hub:
            self._channel = channel
            channel.note(FOLLOW, b"")
        else:
            self._try()

    def _again(self) -> None:
        self._is_following = False
        self._try()


def _log(failure: object) -> None:
    logger.error("following the hub failed: %s", failure)
