"""Connections to other processes, made when first needed and kept; who cannot be reached is remembered as such."""

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory

from replication.calls.channel import Channel, Station
from replication.calls.errors import Unreachable, outcome_of
from replication.ports import Meters, Unmetered
from replication.registry import Worker

CONNECT_SECONDS = 3.0

Connect = Callable[[str, int, Any], "Deferred[Any]"]
"""Opens a connection (host, port, factory), perhaps with TLS; fires with the protocol."""


class Peers:
    """The connections of this process to others, by the registration that they have now."""

    def __init__(self, station: Station, connect: Connect, meters: Meters | None = None) -> None:
        self._meters = meters if meters is not None else Unmetered()
        self._station = station
        self._connect = connect
        self._channels: dict[tuple[str, int], Channel] = {}
        self._opening: dict[tuple[str, int], list[Deferred[Channel]]] = {}
        self.refused: set[tuple[str, int]] = set()
        """(name, start) of processes at whose address nobody listens, or nobody greets: they are gone."""

    async def call(self, worker: Worker, method: str, body: bytes, timeout_s: float, request_id: str = "-") -> bytes:
        """Call a process. Raises Unreachable, CallTimedOut, CallFailed or Overloaded."""
        end = self._meters.calling(method)
        try:
            channel = await self.channel(worker)
            answer = await channel.call(method, body, timeout_s, request_id)
        except BaseException as error:
            end(outcome_of(error))
            raise
        end("answered")
        return answer

    async def channel(self, worker: Worker) -> Channel:
        """The connection to a process, opened if need be. Raises Unreachable."""
        key = (worker.name, worker.started_ms)
        channel = self._channels.get(key)
        if channel is not None and channel.is_open:
            return channel
        waiter: Deferred[Channel] = Deferred()
        if key in self._opening:
            self._opening[key].append(waiter)
        else:
            self._opening[key] = [waiter]
            _ = Deferred.fromCoroutine(self._open(worker)).addBoth(lambda result: self._tell(key, result))
        return await waiter

    def open_channels(self) -> list[Channel]:
        """The connections that stand now."""
        return [channel for channel in self._channels.values() if channel.is_open]

    def keep(self, workers: Collection[Worker]) -> None:
        """Hang up on everybody else: what is asked of processes that have fallen silent is asked of others."""
        living = {(worker.name, worker.started_ms) for worker in workers}
        for key in [key for key in self._channels if key not in living]:
            self._channels.pop(key).abort()

    def close(self) -> None:
        """Hang up everywhere."""
        for channel in self._channels.values():
            channel.close()

    async def _open(self, worker: Worker) -> Channel:
        host, _, port = worker.address.rpartition(":")
        if not host:
            raise Unreachable(worker.name, "it takes no calls")
        factory = Factory.forProtocol(lambda: Channel(self._station, is_caller=True))
        factory.noisy = False
        try:
            channel: Channel = await self._connect(host.strip("[]"), int(port), factory)
        except ConnectionRefusedError as error:
            self.refused.add((worker.name, worker.started_ms))
            raise Unreachable(worker.name, "nobody listens there", is_refused=True) from error
        except Exception as error:
            raise Unreachable(worker.name, str(error) or type(error).__name__) from error
        try:
            await channel.opened
        except Unreachable:
            if channel.is_silent:
                self.refused.add((worker.name, worker.started_ms))
            raise
        if channel.peer != worker.name:
            channel.close()
            raise Unreachable(worker.name, f"{channel.peer} is there instead", is_refused=True)
        for old in [key for key in self._channels if key[0] == worker.name]:
            self._channels.pop(old).close()
        self._channels[worker.name, worker.started_ms] = channel
        self.refused.discard((worker.name, worker.started_ms))
        return channel

    def _tell(self, key: tuple[str, int], result: Any) -> None:
        for waiter in self._opening.pop(key):
            if isinstance(result, Channel):
                waiter.callback(result)
            else:
                waiter.errback(result)
