"""Listening for other processes."""

from typing import Any, Protocol

from twisted.internet.protocol import Factory

from replication.calls.channel import Channel, Station


class Listen(Protocol):
    """Starts to listen, perhaps with TLS; gives Twisted's IListeningPort."""

    def __call__(self, host: str, port: int, factory: Any, /) -> Any:
        """Listen at an address; port 0 is any that is free."""
        ...


class Door:
    """Where other processes call."""

    def __init__(self, station: Station, listen: Listen) -> None:
        self._station = station
        self._listen = listen
        self._port: Any = None
        self._channels: set[Channel] = set()

    def open(self, host: str, port: int) -> str:
        """Listen; the address as others are to be told it."""
        factory = Factory.forProtocol(self._admit)
        factory.noisy = False
        self._port = self._listen(host, port, factory)
        return f"{f'[{host}]' if ':' in host else host}:{self._port.getHost().port}"

    async def close(self) -> None:
        """Listen no more, and hang up."""
        if self._port is not None:
            await self._port.stopListening()
        for channel in list(self._channels):
            channel.close()

    def _admit(self) -> Channel:
        channel = Channel(self._station, is_caller=False)
        self._channels.add(channel)
        channel.on_lost = self._channels.discard
        _ = channel.opened.addErrback(lambda _: None)  # who does not get in has been logged
        return channel
