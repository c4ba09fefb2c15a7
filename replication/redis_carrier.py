"""Frames over Redis: one channel of publish and subscribe, which everybody hears.

The library reconnects by itself, with growing pauses. While Redis is away frames are lost, and readers see what they
missed in the database.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import txredisapi
from twisted.internet.defer import Deferred

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RedisLogin:
    """Who we are to Redis, and which of its databases (which pub/sub does not care about) we use."""

    username: str | None = None
    password: str | None = None
    database: int = 0


class RedisCarrier:
    """Publishes to, and hears, one channel. `endpoint` is Twisted's, of the Redis server."""

    def __init__(self, endpoint: Any, login: RedisLogin) -> None:
        self.on_frame: Callable[[bytes], None] = lambda data: None
        self._endpoint = endpoint
        self._channel = ""
        self._publisher = _factory(txredisapi.RedisProtocol, login)
        self._subscriber = _factory(None, login)

    def start(self, channel: str) -> None:
        """Connect, now or when Redis is there, and use the channel of that name."""
        self._channel = channel
        self._subscriber.protocol = _subscription(channel, self._hear)
        for factory in (self._publisher, self._subscriber):
            factory.deferred.addErrback(lambda failure: logger.error("%s", failure.getErrorMessage()))
            factory.startConnecting(self._endpoint)

    def send(self, data: bytes) -> None:
        """Publish; while there is no connection, the data are lost."""
        if self._publisher.pool:
            _ = self._publisher.pool[0].publish(self._channel, data).addErrback(_lost)

    def has_listeners(self) -> bool:
        """Whether there is a connection to publish on."""
        return bool(self._publisher.pool)

    async def stop(self) -> None:
        """Hang up."""
        for factory in (self._publisher, self._subscriber):
            stopped: Deferred[Any] = factory.disconnect()
            await stopped

    def _hear(self, data: object) -> None:
        if isinstance(data, bytes):
            self.on_frame(data)


def _factory(protocol: Any, login: RedisLogin) -> Any:
    factory = txredisapi.RedisFactory(
        "redis",
        login.database or None,
        1,
        isLazy=True,
        charset=None,
        password=login.password,
        username=login.username,
        convertNumbers=False,
    )
    factory.protocol = protocol
    factory.maxDelay = 3
    return factory


def _subscription(channel: str, hear: Callable[[object], None]) -> Any:
    """A protocol that listens to a channel as soon as it is connected."""

    class Subscription(txredisapi.SubscriberProtocol):  # type: ignore[misc]
        def connectionMade(self) -> Any:  # noqa: N802
            ready = super().connectionMade()
            _ = ready.addCallback(lambda _: self.subscribe(channel).addErrback(_lost) if self.connected else None)
            return ready

        def messageReceived(self, pattern: object, channel: object, message: object) -> None:  # noqa: N802
            hear(message)

    return Subscription


def _lost(failure: Any) -> None:
    logger.info("Redis did not take a command: %s", failure.getErrorMessage())
