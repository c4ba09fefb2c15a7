"""Name lookups: addresses in turn, what is kept and for how long, trouble, and names that are none."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.outgoing import Dns
from synapse_like.toolkit.http.outgoing.dns import MOST_RECORDS, NOT_FOUND_S, SHORTEST_S, ServiceRecord
from synapse_like.toolkit.http.outgoing.errors import NameLookupFailed, NameNotFound
from tests.kit import names
from tests.kit.clock import FakeClock


@pytest.fixture
async def zone() -> AsyncIterator[names.Zone]:
    async with names.serving() as zone:
        yield zone


def resolver(zone: names.Zone, clock: Any = None) -> Dns:
    return Dns(reactor, clock or FakeClock(), [("127.0.0.1", zone.port)])


async def test_addresses_of_both_kinds_in_turn(zone: names.Zone) -> None:
    zone.addresses["a.example"] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1", "2001:db8::2"]
    assert await resolver(zone).addresses("A.example.") == [
        "2001:db8::1",
        "10.0.0.1",
        "2001:db8::2",
        "10.0.0.2",
        "10.0.0.3",
    ]


async def test_an_address_needs_no_lookup(zone: names.Zone) -> None:
    for address in ("10.0.0.1", "2001:db8::1"):
        assert await resolver(zone).addresses(address) == [address]
    assert zone.asked == []


async def test_answers_are_kept_for_as_long_as_they_say(zone: names.Zone) -> None:
    zone.addresses["a.example"] = ["10.0.0.1"]
    zone.services["_s.a.example"] = [(1, 2, 3, "b.example")]
    clock = FakeClock()
    dns = resolver(zone, clock)
    for seconds, asked in ((0, 1), (names.TTL_S - 1, 1), (2, 2)):
        clock.advance(seconds)
        assert await dns.addresses("a.example") == ["10.0.0.1"]
        assert await dns.services("_s.a.example") == [ServiceRecord(1, 2, 3, "b.example")]
        assert zone.asked_for("_s.a.example") == asked
        assert zone.asked_for("a.example") == 2 * asked


async def test_what_is_not_there_is_asked_for_again_after_a_minute(zone: names.Zone) -> None:
    clock = FakeClock()
    dns = resolver(zone, clock)
    for _ in range(3):
        with pytest.raises(NameNotFound):
            await dns.addresses("a.example")
        assert await dns.services("_s.a.example") == []
    assert (zone.asked_for("a.example"), zone.asked_for("_s.a.example")) == (2, 1)
    zone.addresses["a.example"] = ["10.0.0.1"]
    clock.advance(NOT_FOUND_S + 1)
    assert await dns.addresses("a.example") == ["10.0.0.1"]


async def test_trouble_is_forgotten_soon(zone: names.Zone) -> None:
    zone.broken |= {"a.example", "_s.a.example"}
    clock = FakeClock()
    dns = resolver(zone, clock)
    with pytest.raises(NameLookupFailed):
        await dns.addresses("a.example")
    with pytest.raises(NameLookupFailed):
        await dns.services("_s.a.example")
    zone.broken.clear()
    zone.addresses["a.example"] = ["10.0.0.1"]
    clock.advance(SHORTEST_S + 1)
    assert await dns.addresses("a.example") == ["10.0.0.1"]
    assert await dns.services("_s.a.example") == []


async def test_many_who_ask_at_once_ask_once(zone: names.Zone) -> None:
    zone.addresses["a.example"] = ["10.0.0.1"]
    dns = resolver(zone)
    asking = [Deferred.fromCoroutine(dns.addresses("a.example")) for _ in range(50)]
    assert await gatherResults(asking) == [["10.0.0.1"]] * 50
    assert zone.asked_for("a.example") == 2


async def test_a_flood_of_records_is_cut(zone: names.Zone) -> None:
    zone.addresses["a.example"] = [f"10.0.{n // 250}.{n % 250}" for n in range(200)]
    zone.services["_s.a.example"] = [(1, 1, 1, "a.example")] * 100
    dns = resolver(zone)
    assert len(await dns.addresses("a.example")) == MOST_RECORDS
    assert len(await dns.services("_s.a.example")) == MOST_RECORDS


async def test_the_file_of_hosts_of_the_system() -> None:
    assert "127.0.0.1" in await Dns(reactor, Clock(reactor)).addresses("localhost.")


labels = st.text(st.sampled_from("aZ0-_.*\\ é\x00"), max_size=70)


@given(st.lists(labels, max_size=6).map(".".join) | st.text(max_size=300))
def test_any_name(name: str) -> None:
    """What cannot be asked for is not there; nothing else is raised, and no name server is needed to say so."""
    dns = Dns(reactor, FakeClock(), [("127.0.0.1", 9)])
    asked: list[str] = []

    async def note(name: str) -> tuple[list[str], int]:
        asked.append(name)
        name.encode("ascii")
        assert all(0 < len(label) < 64 for label in name.split("."))
        return ["10.0.0.1"], 60

    dns._look_up_addresses = note  # type: ignore[method-assign]
    outcomes: list[Any] = []
    Deferred.fromCoroutine(dns.addresses(name)).addBoth(outcomes.append)
    (outcome,) = outcomes
    assert isinstance(outcome, list) or outcome.check(NameNotFound)
