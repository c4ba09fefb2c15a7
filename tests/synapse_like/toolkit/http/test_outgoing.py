"""The HTTP client: answers of every kind, hostile ones too; kept connections; addresses that are not connected to."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from synapse_like.matrix.errors import BadGateway, ConnectionFailed, ConnectionTimeout
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.outgoing import AddressRules, ClientTls, Connector, Dns, HttpClient
from synapse_like.toolkit.http.outgoing.addresses import EVERY_ADDRESS
from synapse_like.toolkit.http.outgoing.bodies import Collected, Streamed
from synapse_like.toolkit.http.outgoing.client import BadUrl, Sent
from synapse_like.toolkit.http.outgoing.config import INTERNAL_NETWORKS
from synapse_like.toolkit.http.outgoing.connection import HttpConnection
from synapse_like.toolkit.http.outgoing.errors import (
    AddressDenied,
    AnswerMalformed,
    AnswerTooLarge,
    ConnectionBroken,
)
from synapse_like.toolkit.http.outgoing.pool import IDLE_S, MOST_IDLE_PER_PLACE, Pool
from synapse_like.toolkit.metrics import Metrics
from synapse_like.toolkit.metrics.outgoing import IN_FLIGHT, REQUESTS, OutgoingMetrics
from tests.kit.clock import FakeClock

REACTOR: Any = reactor
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class Host(Protocol):
    """One connection of a server that answers requests with bytes."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.server.requests.append(data)
        self.server.answer(self, data)


class Server:
    """A TCP server on loopback; `answer` is called with the connection and what came."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections: list[Any] = []
        self.answer: Callable[[Any, bytes], object] = lambda connection, _: connection.transport.write(OK)
        factory = Factory.forProtocol(self._connected)
        factory.noisy = False
        self.listening: Any = REACTOR.listenTCP(0, factory, interface="127.0.0.1")

    def _connected(self) -> Host:
        self.connections.append(Host(self))
        return self.connections[-1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listening.getHost().port}/"

    def say(self, data: bytes, *, then_close: bool = False) -> None:
        """Answer every request so."""

        def answer(connection: Any, _: bytes) -> None:
            connection.transport.write(data)
            if then_close:
                connection.transport.loseConnection()

        self.answer = answer

    def do(self, answer: Callable[[Any, bytes], object]) -> None:
        """Answer every request by calling this."""
        self.answer = answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    for connection in server.connections:
        connection.transport.abortConnection()
    await maybeDeferred(server.listening.stopListening)


def http(pool: Pool | None = None, rules: AddressRules = EVERY_ADDRESS) -> HttpClient:
    clock = Clock(reactor)
    connector = Connector(reactor, Dns(reactor, clock, [("127.0.0.1", 1)]), rules)
    return HttpClient(reactor, connector, ClientTls(), Pool(clock) if pool is None else pool)


GOOD = [
    (OK, 200, b"OK"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nO\r\n1;x=y\r\nK\r\n0\r\nTrailer: 1\r\n\r\n",
        200,
        b"OK",
    ),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    (b"HTTP/1.1 404 Nope\r\ncontent-length:4\r\n\r\nNope", 404, b"Nope"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"OK"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
]


@pytest.mark.parametrize(("data", "status", "body"), GOOD)
@pytest.mark.parametrize("is_dripped", [False, True])
async def test_answers(server: Server, data: bytes, status: int, body: bytes, is_dripped: bool) -> None:
    def drip(connection: Any, _: bytes) -> None:
        for at in range(len(data)):
            REACTOR.callLater(at / 100_000, connection.transport.write, data[at : at + 1])

    if is_dripped:
        server.do(drip)
    else:
        server.say(data)
    answer = await http().request("GET", server.url)
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_an_answer_may_end_with_its_connection(server: Server, version: bytes) -> None:
    server.say(b"HTTP/%b 200 OK\r\n\r\nall of it" % version, then_close=True)
    assert (await http().request("GET", server.url)).body == b"all of it"


BAD = [
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", AnswerMalformed),
    (b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n", AnswerMalformed),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", AnswerMalformed),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", AnswerMalformed),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg", AnswerMalformed),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", AnswerTooLarge),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2_000_000, AnswerTooLarge),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" * 1 + b"x" * 2_000_000, AnswerTooLarge),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, AnswerTooLarge),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, AnswerTooLarge),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, AnswerTooLarge),
]


@pytest.mark.parametrize(("data", "error"), BAD)
async def test_hostile_answers(server: Server, data: bytes, error: type[Exception]) -> None:
    server.say(data)
    pool = Pool(Clock(reactor))
    with pytest.raises((AnswerMalformed, AnswerTooLarge) if error is AnswerMalformed else error):
        await http(pool).request("GET", server.url, limit_bytes=60_000, timeout_s=10)
    assert len(pool) == 0


async def test_an_answer_that_breaks_off(server: Server) -> None:
    server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then_close=True)
    with pytest.raises(ConnectionBroken) as raised:
        await http().request("GET", server.url)
    assert raised.value.has_begun


async def test_silence_and_slowness_end(server: Server) -> None:
    def drip(connection: Any, _: bytes) -> None:
        connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        for at in range(100):
            REACTOR.callLater(at / 50, connection.transport.write, b"x")

    for answer in (lambda connection, _: None, drip):
        server.do(answer)
        with pytest.raises(ConnectionTimeout):
            await http().request("GET", server.url, timeout_s=0.1)


async def test_what_nobody_asked_for_is_not_the_next_answer(server: Server) -> None:
    """A server that says more than it was asked for cannot choose the answer to the next request."""
    server.say(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    client = http()
    assert (await client.request("GET", server.url)).body == b"OK"
    server.say(OK)
    assert (await client.request("GET", server.url)).body == b"OK"
    assert len(server.connections) == 2


class TestPool:
    """Connections that are kept."""

    async def test_a_connection_is_used_again(self, server: Server) -> None:
        client = http()
        for _ in range(3):
            await client.request("GET", server.url)
        assert len(server.connections) == 1

    async def test_requests_at_the_same_time_have_their_own(self, server: Server) -> None:
        client = http(pool := Pool(FakeClock()))
        await gatherResults([Deferred.fromCoroutine(client.request("GET", server.url)) for _ in range(10)])
        assert len(server.connections) == 10
        assert len(pool) == MOST_IDLE_PER_PLACE

    async def test_a_connection_that_was_closed_meanwhile_is_replaced(self, server: Server) -> None:
        client = http()
        await client.request("GET", server.url)

        def close_once(connection: Any, _: bytes) -> None:
            server.say(OK)
            connection.transport.abortConnection()

        server.do(close_once)
        assert (await client.request("PUT", server.url, body=b"{}")).body == b"OK"
        assert len(server.connections) == 2

    async def test_a_new_connection_that_breaks_is_not_replaced(self, server: Server) -> None:
        server.do(lambda connection, _: connection.transport.abortConnection())
        with pytest.raises(ConnectionBroken):
            await http().request("PUT", server.url, body=b"{}")
        assert len(server.requests) == 1

    async def test_idle_connections_are_closed(self, server: Server) -> None:
        clock = FakeClock()
        client = http(pool := Pool(clock))
        await client.request("GET", server.url)
        clock.advance(IDLE_S - 1)
        assert len(pool) == 1
        clock.advance(2)
        assert len(pool) == 0

    async def test_a_server_that_closes_is_forgotten(self, server: Server) -> None:
        client = http(pool := Pool(clock := Clock(reactor)))
        await client.request("GET", server.url)
        server.connections[0].transport.loseConnection()
        while len(pool):
            await clock.sleep(0.001)

    @pytest.mark.parametrize(
        "answer", [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", OK.replace(b"OK\r", b"OK\r\nConnection: close\r")]
    )
    async def test_a_connection_that_is_to_end_is_not_kept(self, server: Server, answer: bytes) -> None:
        server.say(answer)
        client = http(pool := Pool(FakeClock()))
        await client.request("GET", server.url)
        assert len(pool) == 0


class TestCounting:
    """What the metrics hear of requests, by what became of them."""

    @pytest.mark.parametrize(
        ("data", "outcome"),
        [
            (OK, "2xx"),
            (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "4xx"),
            (b"HTTP/1.1 799 What\r\nContent-Length: 0\r\n\r\n", "unusable"),
            (b"garbage", "unusable"),
        ],
    )
    async def test_answers(self, server: Server, data: bytes, outcome: str) -> None:
        server.say(data)
        assert await self._counted(server.url) == {outcome: 1}

    async def test_no_answers(self, server: Server) -> None:
        server.do(lambda connection, _: connection.transport.abortConnection())
        assert await self._counted(server.url) == {"broken": 1}
        server.do(lambda connection, _: None)
        assert await self._counted(server.url) == {"given up": 1}
        assert await self._counted(server.url, AddressRules(INTERNAL_NETWORKS, ())) == {"denied": 1}
        url = server.url
        await maybeDeferred(server.listening.stopListening)
        assert await self._counted(url) == {"unreachable": 1}

    @staticmethod
    async def _counted(url: str, rules: AddressRules = EVERY_ADDRESS) -> dict[str, float]:
        """Ask once; the outcomes that were counted. Nothing is under way any more."""
        metrics = Metrics()
        try:
            client = http(Pool(FakeClock(), OutgoingMetrics(metrics, "guarded")), rules)
            await client.request("GET", url, timeout_s=0.3)
        except (BadGateway, ConnectionFailed, ConnectionTimeout):
            pass
        series = metrics.tallies(REQUESTS)
        assert metrics.tally(IN_FLIGHT, purpose="guarded").value == 0
        counted = {key: tally.value for key, tally in series.items() if tally.value}
        assert {key[0] for key in counted} == {"guarded"}
        return {key[1]: value for key, value in counted.items()}


class TestRequests:
    """What goes out."""

    async def test_the_request(self, server: Server) -> None:
        await http().request("POST", server.url + "a/b?c=d", headers={"X-Y": "z"}, body=b"{}")
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /a/b?c=d HTTP/1.1"
        assert f"Host: {server.url[7:-1]}" in lines and "X-Y: z" in lines and "Content-Length: 2" in lines
        assert body == b"{}"

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://x/",
            "//x/",
            "http://",
            "http://u:p@x/",
            "http://x:99999/",
            "http://x/\r\n",
            "http://x/ y",
            "http://ü/",
            "",
            "http://x/" + "y" * 9000,
        ],
    )
    async def test_what_is_no_url(self, url: str) -> None:
        with pytest.raises(BadUrl):
            await http().request("GET", url)

    @given(st.text(), st.text(), st.text())
    def test_a_request_does_not_leave_its_lines(self, host: str, target: str, value: str) -> None:
        try:
            data = Sent("GET", {"X": value}).to_bytes(host, target)
        except ValueError:
            return
        assert data.count(b"\r\n") == 5
        assert data.count(b"\n") == 5


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("10.1.2.3", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.168.7.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd12::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:1.1.1.1", True),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::101:101", True),
        ("2002:7f00:1::", False),
        ("2001:0:102:304:0:0:80ff:fffe", False),
        ("172.20.0.9", True),
        ("172.21.0.9", False),
        ("not an address", False),
        ("", False),
        ("1.1.1", False),
        ("0x7f.1", False),
    ],
)
def test_address_rules(address: str, is_allowed: bool) -> None:
    assert AddressRules(INTERNAL_NETWORKS, ["172.20.0.0/16"]).allows(address) is is_allowed


async def test_denied_addresses_are_not_connected_to(server: Server) -> None:
    client = http(rules=AddressRules(INTERNAL_NETWORKS))
    port = server.url.split(":")[2]
    for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        with pytest.raises(AddressDenied):
            await client.request("GET", f"http://{host}:{port}")
    assert server.connections == []


async def test_a_redirect_to_a_denied_address_is_not_followed(server: Server) -> None:
    server.say(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n")
    client = http(rules=AddressRules(INTERNAL_NETWORKS, ["127.0.0.1"]))
    with pytest.raises(AddressDenied):
        await client.request("GET", server.url, redirects=5)


async def test_nobody_there_is_a_failed_connection(server: Server) -> None:
    url = server.url
    await server.listening.stopListening()
    with pytest.raises(ConnectionFailed):
        await http().request("GET", url)


class TestConnection:
    """A connection without a network: whatever comes, the request ends one way or the other."""

    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=60),
                st.sampled_from([data for data, _, _ in GOOD]),
                st.sampled_from([OK[:20], OK[20:], b"HTTP/1.1 100 C\r\n\r\n", b"0\r\n\r\n"]),
            ),
            max_size=6,
        )
    )
    def test_any_bytes(self, chunks: list[bytes]) -> None:
        connection = HttpConnection()
        connection.makeConnection(StringTransport())
        outcomes: list[Any] = []
        answer = connection.send(b"GET / HTTP/1.1\r\n\r\n", Collected(100))
        answer.addBoth(outcomes.append)
        for chunk in chunks:
            connection.dataReceived(chunk)
        connection.connectionLost(Failure(ConnectionDone()))
        (outcome,) = outcomes
        assert outcome is None or isinstance(outcome.value, BadGateway)
        assert not connection.is_usable

    def test_a_request_that_was_given_up_ends_once(self) -> None:
        connection = HttpConnection()
        transport = StringTransport()
        connection.makeConnection(transport)
        outcomes: list[Any] = []
        answer = connection.send(b"", Collected(100)).addBoth(outcomes.append)
        answer.cancel()
        connection.connectionLost(Failure(ConnectionDone()))
        (outcome,) = outcomes
        assert outcome.check(CancelledError)
        assert transport.disconnected

    def test_what_a_sink_raises_ends_the_request(self) -> None:
        def refuse(part: bytes) -> None:
            raise ValueError(part)

        connection = HttpConnection()
        transport = StringTransport()
        connection.makeConnection(transport)
        failures: list[Any] = []
        connection.send(b"", Streamed(refuse, 100)).addErrback(failures.append)
        connection.dataReceived(OK)
        assert isinstance(failures[0].value, ValueError)
        assert transport.disconnected

    def test_streamed_bodies_are_bounded_and_refusals_kept(self) -> None:
        got: list[bytes] = []
        connection = HttpConnection()
        connection.makeConnection(StringTransport())
        sink = Streamed(got.append, 3)
        outcomes: list[Any] = []
        connection.send(b"", sink).addBoth(outcomes.append)
        connection.dataReceived(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope")
        assert (outcomes, got, sink.status, sink.refusal.body) == ([None], [], 403, b"nope")
        connection.send(b"", Streamed(got.append, 3)).addBoth(outcomes.append)
        connection.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc")
        connection.dataReceived(b"d")
        assert got == [b"abc"]
        assert isinstance(outcomes[1].value, AnswerTooLarge)
