"""Calls between processes over real TCP: who may, many at once, deadlines, cancelling, failures, garbage."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from twisted.internet import reactor, task
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from replication.calls import CallFailed, CallTimedOut, Door, Incoming, Overloaded, Peers, Station, Unreachable, wire
from replication.calls.channel import BEATS_OF_SILENCE, GREETING_SECONDS, MAX_AT_WORK, Channel
from replication.registry import Worker
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.randomness import Randomness
from tests.kit.cuttable import Line

CLOCK = Clock(reactor)
TWISTED: Any = reactor


class Refused(Exception):
    """What the tests' methods refuse with."""


async def echo(incoming: Incoming) -> bytes:
    return incoming.method.encode() + b" " + incoming.body + b" " + incoming.request_id.encode()


def failure_of(error: BaseException) -> tuple[str, bytes] | None:
    return ("refused", str(error).encode()) if isinstance(error, Refused) else None


def station(name: str, answer: Callable[[Incoming], Awaitable[bytes]] = echo, **options: Any) -> Station:
    options = {"secret": b"one secret", **options}
    return Station(name=name, clock=CLOCK, nonces=Randomness(), answer=answer, failure_of=failure_of, **options)


def connect(host: str, port: int, factory: Any) -> Any:
    return HostnameEndpoint(reactor, host.encode(), port).connect(factory)


def listen(host: str, port: int, factory: Any) -> Any:
    return TWISTED.listenTCP(port, factory, interface=host)


@asynccontextmanager
async def door(host: Station) -> AsyncIterator[Worker]:
    """A process that takes calls."""
    opened = Door(host, listen)
    address = opened.open("127.0.0.1", 0)
    yield Worker(name=host.name, kind="main", address=address, version="1", started_ms=1)
    await opened.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await CLOCK.sleep(0.001)


async def test_many_calls_at_once_are_answered_each_with_its_own() -> None:
    held: list[Deferred[None]] = []

    async def slowly(incoming: Incoming) -> bytes:
        held.append(Deferred())
        await held[-1]
        return incoming.body

    async with door(station("b", slowly)) as worker:
        peers = Peers(station("a"), connect)
        calls = [Deferred.fromCoroutine(peers.call(worker, "m", str(n).encode(), 5)) for n in range(200)]
        await until(lambda: len(held) == 200)
        for waiter in reversed(held):
            waiter.callback(None)
        assert await gatherResults(calls) == [str(n).encode() for n in range(200)]
        assert len(peers.open_channels()) == 1
        peers.close()


async def test_a_call_carries_method_and_request() -> None:
    async with door(station("b")) as worker:
        peers = Peers(station("a"), connect)
        assert await peers.call(worker, "greet", b"you", 5, "GET-7") == b"greet you GET-7"
        peers.close()


async def test_who_does_not_know_the_secret_gets_nowhere() -> None:
    called: list[Incoming] = []

    async def hear(incoming: Incoming) -> bytes:
        called.append(incoming)
        return b""

    async with door(station("b", hear)) as worker:
        peers = Peers(station("a", secret=b"another"), connect)
        with pytest.raises(Unreachable):
            await peers.call(worker, "m", b"", 5)
        assert called == []


async def test_a_process_that_is_gone_is_known_to_be_gone() -> None:
    async with door(station("b")) as worker:
        pass
    peers = Peers(station("a"), connect)
    with pytest.raises(Unreachable) as refused:
        await peers.call(worker, "m", b"", 5)
    assert refused.value.is_refused
    assert peers.refused == {("b", 1)}


async def test_another_process_at_the_same_address_is_not_taken_for_it() -> None:
    async with door(station("c")) as worker:
        peers = Peers(station("a"), connect)
        wanted = Worker(name="b", kind="main", address=worker.address, version="1", started_ms=1)
        with pytest.raises(Unreachable, match="c is there instead"):
            await peers.call(wanted, "m", b"", 5)


async def test_a_late_answer_is_a_time_out_and_the_work_is_stopped() -> None:
    stopped: list[bool] = []

    async def hang(_: Incoming) -> bytes:
        try:
            await Deferred()
        except CancelledError:
            stopped.append(True)
            raise
        return b""

    async with door(station("b", hang)) as worker:
        peers = Peers(station("a"), connect)
        with pytest.raises(CallTimedOut):
            await peers.call(worker, "m", b"", 0.05)
        await until(lambda: stopped == [True])
        peers.close()


async def test_cancelling_stops_the_work() -> None:
    working, stopped = [], []

    async def hang(_: Incoming) -> bytes:
        working.append(True)
        try:
            await Deferred()
        finally:
            stopped.append(True)
        return b""

    async with door(station("b", hang)) as worker:
        peers = Peers(station("a"), connect)
        call = Deferred.fromCoroutine(peers.call(worker, "m", b"", 60))
        await until(lambda: bool(working))
        call.cancel()
        with pytest.raises(CancelledError):
            await call
        await until(lambda: stopped == [True])
        peers.close()


async def test_failures_are_told_and_faults_are_not(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(incoming: Incoming) -> bytes:
        raise Refused("no") if incoming.method == "refused" else ValueError("a secret detail")

    async with door(station("b", fail)) as worker:
        peers = Peers(station("a"), connect)
        with pytest.raises(CallFailed) as told:
            await peers.call(worker, "refused", b"", 5)
        assert (told.value.kind, told.value.body) == ("refused", b"no")
        with pytest.raises(CallFailed) as hidden:
            await peers.call(worker, "fault", b"", 5)
        assert (hidden.value.kind, hidden.value.body) == ("fault", b"")
        assert "a secret detail" in caplog.text
        peers.close()


async def test_a_connection_that_breaks_fails_what_was_sent() -> None:
    async def hang(_: Incoming) -> bytes:
        await Deferred()
        return b""

    channels: list[Channel] = []
    async with door(station("b", hang, on_opened=channels.append)) as worker:
        peers = Peers(station("a"), connect)
        call = Deferred.fromCoroutine(peers.call(worker, "m", b"", 60))
        await until(lambda: bool(channels and channels[0]._at_work))
        channels[0].transport.abortConnection()
        with pytest.raises(Unreachable) as broken:
            await call
        assert broken.value.was_sent and not broken.value.is_refused


async def test_too_many_at_once_are_refused() -> None:
    async def hang(_: Incoming) -> bytes:
        await Deferred()
        return b""

    async with door(station("b", hang)) as worker:
        peers = Peers(station("a"), connect)
        channel = await peers.channel(worker)
        calls = [channel.call("m", b"", 60) for _ in range(MAX_AT_WORK)]
        with pytest.raises(Overloaded):
            await channel.call("m", b"", 60)
        for call in calls:
            _ = call.addErrback(lambda _: None)
            call.cancel()
        peers.close()


async def test_notes_reach_the_other_side() -> None:
    heard: list[tuple[str, str, bytes]] = []
    host = station("b", on_note=lambda channel, topic, body: heard.append((channel.peer, topic, body)))
    async with door(host) as worker:
        peers = Peers(station("a"), connect)
        channel = await peers.channel(worker)
        assert channel.note("news", b"x")
        await until(lambda: heard == [("a", "news", b"x")])
        peers.close()


class Stranger(Protocol):
    """Speaks as the test wants."""

    def __init__(self) -> None:
        self.is_closed = False

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        self.is_closed = True


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x05hello", b"\xff" * 100, bytes(range(256)) * 16]
)
async def test_garbage_is_hung_up_on(garbage: bytes) -> None:
    async with door(station("b")) as worker:
        host, _, port = worker.address.rpartition(":")
        stranger = await connect(host, int(port), Factory.forProtocol(Stranger))
        stranger.transport.write(garbage)
        await until(lambda: stranger.is_closed)


async def test_a_later_minor_version_is_understood() -> None:
    async with door(station("b", minor=wire.MINOR + 1)) as worker:
        peers = Peers(station("a"), connect)
        channel = await peers.channel(worker)
        assert channel.peer_minor == wire.MINOR + 1
        channel.transport.writeSequence([b"\x00\x00\x00\x03", b"\x92\x63\x01"])  # a kind of message nobody knows
        assert await channel.call("m", b"", 5) == b"m  -"
        peers.close()


def test_trailing_fields_of_a_later_version_are_passed_over() -> None:
    later = wire._ENCODER.encode([4, 7, b"body", "a field of the future"])
    assert wire.decode(later) == wire.Result(7, b"body")


class Cable:
    """The transport of one side: what is written gets to the other side on the next turn, while it is not silent."""

    def __init__(self, clock: task.Clock, near_side: Channel, far_side: Channel) -> None:
        self.is_silent = False
        self._clock = clock
        self._near_side = near_side
        self._far_side = far_side

    def writeSequence(self, parts: Any) -> None:  # noqa: N802
        if not self.is_silent:
            self._clock.callLater(0, self._far_side.dataReceived, b"".join(parts))

    def abortConnection(self) -> None:  # noqa: N802
        self._near_side.connectionLost(Failure(ConnectionAborted()))

    def setTcpNoDelay(self, _: bool) -> None:  # noqa: N802
        """Nothing to do."""

    setTcpKeepAlive = setTcpNoDelay  # noqa: N815

    def registerProducer(self, *_: Any) -> None:  # noqa: N802
        """It never waits."""


def cabled(clock: task.Clock, minor: int = wire.MINOR) -> tuple[Channel, Channel]:
    """Two channels that know each other; the second one is of a release with this minor version."""
    near, far = (
        Channel(Station(name, b"one secret", Clock(clock), Randomness(), echo, minor=version), is_caller=name == "a")
        for name, version in (("a", wire.MINOR), ("b", minor))
    )
    near.transport, far.transport = Cable(clock, near, far), Cable(clock, far, near)
    near.connectionMade()
    far.connectionMade()
    clock.pump([0.0] * 4)
    assert near.is_open and far.is_open
    return near, far


def test_signs_of_life_keep_an_idle_connection() -> None:
    clock = task.Clock()
    near, far = cabled(clock)
    clock.pump([1.0] * 100)
    assert near.is_open and far.is_open


def test_a_silent_connection_is_given_up_with_what_waits() -> None:
    clock = task.Clock()
    near, far = cabled(clock)
    clock.pump([1.0] * 10)
    near.transport.is_silent = far.transport.is_silent = True
    failures: list[Any] = []
    near.call("m", b"", 3600).addErrback(failures.append)
    clock.pump([1.0] * int(2.0 * (BEATS_OF_SILENCE - 1)))
    assert near.is_open and far.is_open and not failures
    clock.pump([1.0] * 4)
    assert not near.is_open and not far.is_open and near.is_silent
    assert failures[0].check(Unreachable) and failures[0].value.was_sent


def test_a_release_that_gives_no_signs_of_life_may_be_silent() -> None:
    clock = task.Clock()
    near, far = cabled(clock, minor=1)
    clock.pump([1.0] * 100)
    assert near.is_open and far.is_open


async def test_who_does_not_even_greet_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replication.calls.channel.GREETING_SECONDS", GREETING_SECONDS / 20)
    async with door(station("b")) as worker:
        line = Line(int(worker.address.rpartition(":")[2]))
        there = msgspec.structs.replace(worker, address=f"127.0.0.1:{line.port}")
        peers = Peers(station("a", beat_s=0.02), connect)
        try:
            assert await peers.call(there, "m", b"1", 5) == b"m 1 -"
            assert not peers.refused
            line.fall_silent()
            with pytest.raises(Unreachable) as broken:
                await peers.call(there, "m", b"2", 60)
            assert broken.value.was_sent and not peers.refused
            with pytest.raises(Unreachable):
                await peers.channel(there)
            assert peers.refused == {(worker.name, worker.started_ms)}
        finally:
            peers.close()
            line.close()
