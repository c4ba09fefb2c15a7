"""What several processes show: calls at both ends, whose request a call serves, who owns what, and readiness."""

import pytest

from replication.calls import CallFailed, Incoming
from synapse_like.toolkit.logs import current_request_id
from tests.kit.group import Group, Member
from tests.synapse_like.test_observed import Series, scraped


async def of_all(group: Group) -> list[Series]:
    """The series of every process."""
    return [await scraped(group.at(member)) for member in group.members]


def total(series: list[Series], *key: str) -> float:
    """What the processes have counted together."""
    return sum(each.get(key, 0.0) for each in series)


def worker(member: Member):
    """How others know a process."""
    return member.sharing.registry.me


async def test_calls_are_counted_at_both_ends(group: Group) -> None:
    alice = await group.register("alice")
    room_id = await group.create_room(alice)
    for number in range(10):
        await group.send(alice, room_id, f"m{number}")
    await group.idle()
    series = await of_all(group)
    made = total(series, "calls_total", 'outcome="answered"')
    assert made >= 10
    assert made <= total(series, "served_calls_total", 'outcome="answered"')
    assert total(series, "calls_total", 'outcome="lost"') == 0
    assert total(series, "events_total", 'kind="live"', 'type="m.room.message"') == 10, "by their owner alone"
    assert total(series, "leases_owned", 'family="room"') == series[0]["shards", 'family="room"'] == 32
    methods = {label for each in series for key in each for label in key[1:] if label.startswith("method=")}
    assert methods
    assert 'method="unknown"' not in methods


async def test_a_call_is_carried_out_on_behalf_of_its_request(group: Group) -> None:
    caller, other = group.members[:2]

    async def probe(incoming: Incoming) -> bytes:
        return current_request_id().encode()

    other.sharing._methods["probe"] = probe
    assert await caller.sharing.peers.call(worker(other), "probe", b"", 10, "GET-7") == b"GET-7"
    assert current_request_id() == "-"


async def test_methods_that_nobody_knows_have_one_name(group: Group) -> None:
    caller, other = group.members[:2]
    for name in ("no-such-method", "nor-this"):
        with pytest.raises(CallFailed):
            await caller.sharing.peers.call(worker(other), name, b"", 10)
    at_caller, at_other = await scraped(group.at(caller)), await scraped(group.at(other))
    assert at_caller["calls_total", 'outcome="raised"'] >= 2
    assert at_other["served_call_seconds_count", 'method="unknown"'] == 2
    assert at_other["served_calls_in_flight",] == 0


async def test_every_process_is_ready(group: Group) -> None:
    for member in group.members:
        answer = await group.at(member).request("GET", "/health/ready")
        assert answer.status == 200, answer.body
        assert answer.body["checks"].keys() >= {"phase", "database", "positions", "shards"}
