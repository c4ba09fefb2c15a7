"""What a server shows of itself: its metrics after some life, and its health."""

import re
from typing import Any

from twisted.internet.defer import Deferred

from replication.bus import Frame
from synapse_like.toolkit.db import DatabaseUnavailable
from tests.kit.group import Group
from tests.kit.homeserver import TestServer

Series = dict[tuple[str, ...], float]


async def scraped(server: TestServer) -> Series:
    """Series of ours: value by name and labels."""
    text = (await server.ok("GET", "/metrics")).decode()
    found: Series = {}
    for name, labels, value in re.findall(r"^synapse_like_(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE):
        found[name, *sorted(re.findall(r'(\w+="[^"]*")', labels))] = float(value)
    return found


async def test_everything_that_is_counted_begins_at_zero(server: TestServer) -> None:
    series = await scraped(server)
    for name in ("commit_failures_total", "replication_gaps_total", "lease_epochs_lost_total", "events_total"):
        values = [value for key, value in series.items() if key[0] == name]
        assert values, name
        assert set(values) == {0}, name
    assert {key[0] for key in series} >= {"database_errors_total", "live_rooms", "calls_total", "commit_queue_appends"}


async def test_a_life_leaves_its_traces(server: TestServer) -> None:
    before = await scraped(server)
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat")
    for number in range(3):
        await server.send(alice, room_id, f"m{number}")
    await server.caught_up()
    series = await scraped(server)

    def more(*key: str) -> float:
        return series[key] - before[key]

    assert more("events_total", 'kind="live"', 'type="m.room.message"') == 3
    assert more("events_total", 'kind="live"', 'type="m.room.create"') == 1
    assert series["live_rooms",] == 1
    assert series["leases_owned", 'family="room"'] == 32
    assert series["commit_queue_appends",] == series["commit_queue_age_seconds",] == 0
    assert more("commit_batch_seconds_count") >= 5
    assert more("commit_wait_seconds_count") == more("commit_batch_appends_sum") >= 5
    assert more("commit_facts_total") >= 9
    assert more("replication_frames_published_total", 'family="room"', 'kind="facts"') >= 4
    assert more("replication_facts_heard_total", 'family="room"') >= 9
    assert series["replication_facts_published_total", 'stream="events"'] >= 9
    assert series["replication_lag_rows", 'family="room"'] == 0
    assert more("database_transaction_seconds_count", 'lane="read"') > 0
    lane = "write" if server.homeserver.kit.database.engine.has_one_writer else "log"
    assert more("database_transaction_seconds_count", f'lane="{lane}"') >= 5


async def test_syncs_tell_where_their_news_come_from(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await server.create_room(alice)
    await server.caught_up()

    async def counts() -> tuple[float, float, float]:
        series = await scraped(server)
        assert series["sync_waiting",] == 0
        sources = [series["sync_answer_seconds_count", f'source="{source}"'] for source in ("memory", "database")]
        return sources[0], sources[1], series["sync_answers_at_once_total",]

    assert await counts() == (0, 0, 0)
    since = (await server.sync(alice))["next_batch"]
    assert await counts() == (0, 1, 0)
    await server.sync(alice, since)
    assert await counts() == (0, 1, 1)
    await server.send(alice, room_id)
    await server.caught_up()
    await server.sync(alice, since)
    assert await counts() == (1, 1, 1)


async def test_a_long_poll_counts_while_it_waits(server: TestServer) -> None:
    alice = await server.register("alice")
    await server.caught_up()
    since = (await server.sync(alice))["next_batch"]
    poll = Deferred.fromCoroutine(server.sync(alice, since, timeout=30_000))
    while not (await scraped(server))["sync_waiting",]:
        pass
    await server.create_room(alice)
    await poll
    assert (await scraped(server))["sync_waiting",] == 0


async def test_caches_tell_how_often_they_helped(server: TestServer) -> None:
    alice = await server.register("alice")
    await server.ok("GET", "/account/whoami", token=alice)
    before = await scraped(server)
    await server.ok("GET", "/account/whoami", token=alice)
    after = await scraped(server)
    hits, misses = (("cache_" + what + "_total", 'cache="access_tokens"') for what in ("hits", "misses"))
    assert after[hits] == before[hits] + 1
    assert after[misses] == before[misses] >= 1
    assert after["cache_entries", 'cache="access_tokens"'] >= 1
    names = {label for key in after if key[0] == "cache_entries" for label in key[1:]}
    assert names >= {f'cache="{name}"' for name in ("live_rooms", "events", "memberships", "accounts", "profiles")}


async def test_a_missed_frame_is_a_gap_and_a_refill(server: TestServer) -> None:
    alice = await server.register("alice")
    await server.caught_up()
    before = await scraped(server)
    shard = server.homeserver.spine.holdings[0].held
    number = next(iter(shard))
    frame = Frame("room", number, 1, shard[number].forward + 5, shard[number].forward + 5, ())
    server.homeserver.spine.place.bus.publish(frame)
    await server.create_room(alice)
    key = ("replication_refills_total", 'family="room"', 'outcome="done"')
    while (series := await scraped(server))[key] == before[key]:
        pass
    assert series["replication_gaps_total", 'family="room"'] == before["replication_gaps_total", 'family="room"'] + 1
    assert series["replication_refill_seconds_count", 'family="room"'] == 1


async def test_health(server: TestServer) -> None:
    assert (await server.request("GET", "/health")).body == b"OK"
    assert await server.ok("GET", "/health/live") == {"is_alive": True}
    ready = await server.ok("GET", "/health/ready")
    assert ready == {"is_ready": True, "checks": {"phase": "ok", "database": "ok", "positions": "ok"}}
    server.homeserver.readiness.drain()
    draining = await server.request("GET", "/health/ready")
    assert draining.status == 503
    assert draining.body["checks"]["phase"] == "draining"
    assert (await server.request("GET", "/health/live")).status == 200


async def test_a_database_that_is_away_makes_a_process_unready_and_not_dead(
    server: TestServer, monkeypatch: Any
) -> None:
    async def fail(_: Any) -> Any:
        raise DatabaseUnavailable("host=db.internal password=hush")

    monkeypatch.setattr(type(server.homeserver.kit.database), "read", lambda _self, function: fail(function))
    ready = await server.request("GET", "/health/ready")
    assert ready.status == 503
    assert ready.body["checks"]["database"] == "cannot be reached"
    assert (await server.request("GET", "/health/live")).status == 200


async def test_a_reader_that_stays_behind_makes_a_process_unready(server: TestServer) -> None:
    observation = server.homeserver.observation
    committed = {name: list(vector) for name, vector in server.rooms.reader.positions.items()}
    committed["room"][3] += 7
    observation.lag.note(committed)
    assert observation.lag.rows("room") == 7
    assert (await scraped(server))["replication_lag_rows", 'family="room"'] == 7
    assert (await server.request("GET", "/health/ready")).status == 200


async def test_processes_of_a_cluster_live_on_without_a_database(group: Group, monkeypatch: Any) -> None:
    """Whoever starts processes anew that do not live must not do so because of an outage elsewhere."""
    alice = await group.register("alice")
    await group.ok("GET", "/account/whoami", token=alice)

    async def fail(_self: Any, _function: Any) -> Any:
        raise DatabaseUnavailable("it is away")

    monkeypatch.setattr(type(group.homeserver.kit.database), "read", fail)
    for member in group.members:
        at = group.at(member)
        assert (await at.request("GET", "/health/ready")).status == 503, member.name
        for path in ("/health/live", "/health", "/metrics", "/_matrix/client/versions", "/login"):
            assert (await at.request("GET", path)).status == 200, f"{path} at {member.name}"
        with monkeypatch.context() as uncounted:
            uncounted.setattr(type(member.sharing.ownership), "has_valid_registration", False)
            assert (await at.request("GET", "/health/live")).status == 200
            assert (await at.request("GET", "/account/whoami", token=alice)).status == 503
