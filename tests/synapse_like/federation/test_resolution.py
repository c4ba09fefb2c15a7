"""The table of "Resolving server names": each case with real DNS, real TLS, and what the server at the end saw."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from synapse_like.federation.errors import ServerDenied, Unresolvable
from synapse_like.federation.resolution import Ports, ServerResolver
from synapse_like.federation.resolution.well_known import lifetime_s
from synapse_like.matrix.errors import ConnectionFailed
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.toolkit.http import Headers
from synapse_like.toolkit.http.outgoing import Dns
from synapse_like.toolkit.http.outgoing.dns import ServiceRecord
from synapse_like.toolkit.http.outgoing.errors import AddressDenied
from synapse_like.toolkit.randomness import RepeatableRandomness
from tests.kit import names
from tests.kit.clock import FakeClock
from tests.kit.remote_server import RemoteServer, Seen, listening
from tests.synapse_like.federation.servers import parts

PATH = "/_matrix/federation/v1/version"


@dataclass
class World:
    """A homeserver with a certificate for `cert.example` and 127.0.0.1; a host of well-known files; DNS."""

    zone: names.Zone
    homeserver: RemoteServer
    well_known: RemoteServer

    def reply(self, content: Any) -> None:
        """What every well-known file says."""
        self.well_known.answers["/.well-known/matrix/server"] = lambda seen: content


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    hosts = ("cert.example", "127.0.0.1", "xn--bcher-kva.example")
    folders = [tmp_path / name for name in ("homeserver", "well_known")]
    for folder in folders:
        folder.mkdir()
    async with (
        names.serving() as zone,
        listening(folders[0], *hosts, name="homeserver") as homeserver,
        listening(folders[1], "delegating.example", "cert.example") as well_known,
    ):
        homeserver.answers[PATH] = lambda seen: {"server": {}}
        for name in ("cert.example", "delegating.example", "target.example"):
            zone.addresses[name] = ["127.0.0.1"]
        yield World(zone, homeserver, well_known)


@dataclass(frozen=True)
class Case:
    """A row of the table. `$port` stands for the homeserver's port."""

    step: str
    server: str
    host: str
    file: Any = (404, {})
    services: Callable[[World], None] = lambda world: None
    at_default_port: bool = False


def old_service(world: World) -> None:
    world.zone.services["_matrix._tcp.cert.example"] = [(10, 0, world.homeserver.port, "target.example")]


def new_service(world: World) -> None:
    world.zone.services["_matrix-fed._tcp.cert.example"] = [(10, 0, world.homeserver.port, "target.example")]
    world.zone.services["_matrix._tcp.cert.example"] = [(10, 0, 1, "target.example")]


CASES = [
    Case("1 address with port", "127.0.0.1:$port", "127.0.0.1:$port"),
    Case("1 address alone", "127.0.0.1", "127.0.0.1", at_default_port=True),
    Case("2 name with port", "cert.example:$port", "cert.example:$port"),
    Case(
        "3.1 delegated to address with port", "delegating.example", "127.0.0.1:$port", {"m.server": "127.0.0.1:$port"}
    ),
    Case(
        "3.1 delegated to address alone",
        "delegating.example",
        "127.0.0.1",
        {"m.server": "127.0.0.1"},
        at_default_port=True,
    ),
    Case(
        "3.2 delegated to name with port",
        "delegating.example",
        "cert.example:$port",
        {"m.server": "cert.example:$port"},
    ),
    Case("3.3 delegated, service", "delegating.example", "cert.example", {"m.server": "cert.example"}, new_service),
    Case("3.4 delegated, old service", "delegating.example", "cert.example", {"m.server": "cert.example"}, old_service),
    Case(
        "3.5 delegated, no service",
        "delegating.example",
        "cert.example",
        {"m.server": "cert.example"},
        at_default_port=True,
    ),
    Case("4 service", "cert.example", "cert.example", services=new_service),
    Case("5 old service", "cert.example", "cert.example", services=old_service),
    Case("6 default port", "cert.example", "cert.example", at_default_port=True),
    Case("file is no JSON", "cert.example", "cert.example", (200, b"<html>"), at_default_port=True),
    Case("file without m.server", "cert.example", "cert.example", {"m.homeserver": 1}, at_default_port=True),
    Case("file with no server name", "cert.example", "cert.example", {"m.server": "a b:x"}, at_default_port=True),
    Case("file is a list", "cert.example", "cert.example", ["m.server"], at_default_port=True),
    Case(
        "file too large",
        "cert.example",
        "cert.example",
        (200, b" " * 60_000 + b'{"m.server":"x"}'),
        at_default_port=True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.step)
async def test_the_table(world: World, case: Case) -> None:
    port = str(world.homeserver.port)
    file = case.file
    if isinstance(file, dict) and isinstance(file.get("m.server"), str):
        file = {"m.server": file["m.server"].replace("$port", port)}
    world.reply(file)
    case.services(world)
    ports = Ports(world.homeserver.port if case.at_default_port else 1, world.well_known.port)
    client = parts(world.zone.port, ports).client
    assert await client.get(case.server.replace("$port", port), PATH) == {"server": {}}
    (seen,) = world.homeserver.seen
    assert seen.headers["host"] == case.host.replace("$port", port)
    is_address = seen.headers["host"].startswith("127.")
    assert seen.server_name_indication == (None if is_address else "cert.example")
    assert f'destination="{case.server.replace("$port", port)}"' in seen.headers["authorization"]


@pytest.mark.parametrize(
    ("server", "file"),
    [
        ("target.example:$port", None),
        ("target.example", {"m.server": "target.example:$port"}),
        ("delegating.example", {"m.server": "target.example"}),
    ],
)
async def test_a_certificate_for_another_name_is_refused(world: World, server: str, file: Any) -> None:
    port = str(world.homeserver.port)
    world.reply({"m.server": file["m.server"].replace("$port", port)} if file else (404, {}))
    client = parts(world.zone.port, Ports(world.homeserver.port, world.well_known.port)).client
    with pytest.raises(ConnectionFailed):
        await client.get(server.replace("$port", port), PATH)
    assert world.homeserver.seen == []


async def test_services_are_tried_by_priority(world: World) -> None:
    world.reply((404, {}))
    good = world.homeserver.port
    world.zone.services["_matrix-fed._tcp.cert.example"] = [
        (30, 0, 1, "cert.example"),
        (20, 0, good, "target.example"),
        (10, 5, 1, "target.example"),
        (10, 5, good, "nowhere.example"),
    ]
    route = await (our := parts(world.zone.port, Ports(1, world.well_known.port))).resolver.route_to("cert.example")
    assert sorted(route.places[:2]) == [("nowhere.example", good), ("target.example", 1)]
    assert route.places[2:] == (("target.example", good), ("cert.example", 1))
    assert await our.client.get("cert.example", PATH) == {"server": {}}


async def test_a_service_that_does_not_exist_is_said_so(world: World) -> None:
    world.reply((404, {}))
    world.zone.services["_matrix-fed._tcp.cert.example"] = [(0, 0, 0, ".")]
    with pytest.raises(Unresolvable):
        await parts(world.zone.port, Ports(1, world.well_known.port)).client.get("cert.example", PATH)


async def test_trouble_with_service_lookups_ends_in_the_default_port(world: World) -> None:
    world.reply((404, {}))
    world.zone.broken |= {"_matrix-fed._tcp.cert.example", "_matrix._tcp.cert.example"}
    ports = Ports(world.homeserver.port, world.well_known.port)
    assert await parts(world.zone.port, ports).client.get("cert.example", PATH) == {"server": {}}


async def test_an_alias_of_a_name_is_followed(world: World) -> None:
    world.zone.aliases["cert.example"] = "target.example"
    del world.zone.addresses["cert.example"]
    client = parts(world.zone.port).client
    assert await client.get(f"cert.example:{world.homeserver.port}", PATH) == {"server": {}}


@pytest.mark.parametrize("name", ["no such", "", "a:b:c", "[::1", "x" * 300, "a/b", "user@host", "host:99999"])
async def test_what_is_no_server_name_is_not_looked_for(world: World, name: str) -> None:
    our = parts(world.zone.port)
    with pytest.raises(Unresolvable):
        await our.resolver.route_to(name)
    with pytest.raises(ServerDenied):
        await our.client.get(name, PATH)
    assert world.zone.asked == []


async def test_denied_addresses_are_not_connected_to(world: World) -> None:
    """However the name leads there: as an address, by a lookup, by a well-known file, by a service."""
    port = world.homeserver.port
    world.reply({"m.server": f"127.0.0.1:{port}"})
    names_of_loopback = [
        f"127.0.0.1:{port}",
        f"cert.example:{port}",
        "delegating.example",
        f"[::ffff:127.0.0.1]:{port}",
    ]
    for name in names_of_loopback:
        with pytest.raises(AddressDenied):
            await parts(world.zone.port, Ports(port, world.well_known.port), allowed=()).client.get(name, PATH)
    assert world.homeserver.seen == world.well_known.seen == []
    world.zone.services["_matrix-fed._tcp.else.example"] = [(0, 0, port, "target.example")]
    with pytest.raises(AddressDenied):
        await parts(world.zone.port, Ports(port, world.well_known.port), allowed=()).client.get("else.example", PATH)
    assert world.homeserver.seen == []


async def test_of_several_addresses_only_the_allowed_are_tried(world: World) -> None:
    world.zone.addresses["cert.example"] = ["10.0.0.1", "169.254.169.254", "127.0.0.1", "::1", "fd00::1"]
    client = parts(world.zone.port).client
    assert await client.get(f"cert.example:{world.homeserver.port}", PATH) == {"server": {}}


class Nobody:
    """Delegates to what it is told to."""

    def __init__(self, delegate: str | None) -> None:
        self.delegate = delegate

    async def delegate_of(self, host: str) -> str | None:
        return self.delegate


server_names = st.from_regex(r"\A[0-9A-Za-z.\-]{1,20}(:[0-9]{1,5})?\Z") | st.from_regex(
    r"\A(\[[0-9a-f:.]{2,20}\]|[0-9]{1,3}(\.[0-9]{1,3}){3})(:[0-9]{1,5})?\Z"
)


@given(st.text() | server_names, st.none() | server_names.filter(is_valid_server_name))
async def test_any_name_has_a_way_or_none(name: str, delegate: str | None) -> None:
    """Names that look odd end in a route or in Unresolvable; a route is one that can be written into a request."""
    dns = Dns(reactor, FakeClock(), [("127.0.0.1", 9)])
    dns.services = no_services  # type: ignore[method-assign]
    resolver = ServerResolver(dns, Nobody(delegate), RepeatableRandomness(1), Ports())
    try:
        route = await resolver.route_to(name)
    except Unresolvable:
        assert not is_valid_server_name(name)
        return
    assert is_valid_server_name(route.host_header)
    ((host, port),) = route.places
    assert (0 <= port <= 65535 and host == route.tls_name) or host.rstrip(".") == route.tls_name
    assert "[" not in host


async def no_services(name: str) -> list[ServiceRecord]:
    return []


class TestWellKnownFile:
    """Redirects, and for how long it is believed."""

    def redirect(self, world: World, *ways: str) -> None:
        """Answer each path of `ways` with a redirect to the next."""

        def answer(seen: Seen) -> Any:
            at = ways.index(seen.path)
            seen.request.setHeader("location", ways[at + 1] if at + 1 < len(ways) else ways[0])
            return 302, b""

        world.well_known.answers["/"] = answer
        world.well_known.answers["/.well-known/matrix/server"] = answer

    async def test_redirects_are_followed(self, world: World) -> None:
        self.redirect(world, "/.well-known/matrix/server", "/a", "/b?c")
        world.well_known.answers["/b"] = lambda seen: {"m.server": "cert.example:1"}
        our = parts(world.zone.port, Ports(1, world.well_known.port))
        assert await our.well_known.delegate_of("delegating.example") == "cert.example:1"

    async def test_circles_and_leaving_https_are_failures(self, world: World) -> None:
        our = parts(world.zone.port, Ports(1, world.well_known.port))
        self.redirect(world, "/.well-known/matrix/server", "/a", "/b")
        assert await our.well_known.delegate_of("delegating.example") is None
        assert len(world.well_known.seen) == 3
        self.redirect(world, "/.well-known/matrix/server", "http://delegating.example/")
        assert await our.well_known.delegate_of("cert.example") is None
        assert len(world.well_known.seen) == 4

    async def test_redirects_end(self, world: World) -> None:
        def on_and_on(seen: Seen) -> Any:
            seen.request.setHeader("location", f"{seen.path}x")
            return 302, b""

        world.well_known.answers["/"] = on_and_on
        our = parts(world.zone.port, Ports(1, world.well_known.port))
        assert await our.well_known.delegate_of("delegating.example") is None
        assert len(world.well_known.seen) == 11

    async def test_it_is_kept(self, world: World) -> None:
        world.reply({"m.server": "cert.example:1"})
        clock = FakeClock()
        our = parts(world.zone.port, Ports(1, world.well_known.port), clock=clock)
        for hours, asked in ((0, 1), (12, 1), (10, 1), (4, 2)):
            clock.advance(hours * 60 * 60)
            assert await our.well_known.delegate_of("delegating.example") == "cert.example:1"
            assert len(world.well_known.seen) == asked

    async def test_after_failures_it_is_left_alone_for_longer_and_longer(self, world: World) -> None:
        world.reply((500, {}))
        clock = FakeClock()
        our = parts(world.zone.port, Ports(1, world.well_known.port), clock=clock)
        asked = []
        for _ in range(24 * 60):
            clock.advance(60)
            assert await our.well_known.delegate_of("delegating.example") is None
            asked.append(len(world.well_known.seen))
        assert asked[0] == 1
        assert asked[59] <= 7
        assert 20 <= asked[-1] - asked[59] <= 50

    async def test_a_good_answer_outlives_failures_for_two_days(self, world: World) -> None:
        world.reply({"m.server": "cert.example:1"})
        clock = FakeClock()
        our = parts(world.zone.port, Ports(1, world.well_known.port), clock=clock)
        assert await our.well_known.delegate_of("delegating.example") == "cert.example:1"
        world.reply((500, {}))
        clock.advance(40 * 60 * 60)
        assert await our.well_known.delegate_of("delegating.example") == "cert.example:1"
        clock.advance(9 * 60 * 60)
        assert await our.well_known.delegate_of("delegating.example") is None

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, 24 * 60 * 60),
            ({"cache-control": "public, max-age=60"}, 60),
            ({"cache-control": 'MAX-AGE="99"'}, 99),
            ({"cache-control": "max-age=5, no-store"}, 0),
            ({"cache-control": "s-maxage=7"}, 24 * 60 * 60),
            ({"cache-control": "max-age=-3"}, 24 * 60 * 60),
            ({"expires": "Thu, 01 Jan 1970 01:00:00 GMT"}, 3600),
            ({"expires": "0"}, 0),
            ({"expires": "Thu, 01 Jan 1970 01:00:00 GMT", "cache-control": "max-age=1"}, 1),
        ],
    )
    def test_how_long_an_answer_holds(self, headers: dict[str, str], seconds: int) -> None:
        assert lifetime_s(Headers(list(headers.items())), 0) == seconds

    async def test_many_who_ask_at_once_ask_once(self, world: World) -> None:
        world.reply({"m.server": "cert.example:1"})
        our = parts(world.zone.port, Ports(1, world.well_known.port))
        asking = [Deferred.fromCoroutine(our.well_known.delegate_of("delegating.example")) for _ in range(50)]
        assert await gatherResults(asking) == ["cert.example:1"] * 50
        assert len(world.well_known.seen) == 1
