"""Presence over a whole server whose clock stands still until a test moves it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from synapse_like.features import presence
from synapse_like.features.presence import Presence
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.ratelimit import RateLimiter
from tests.kit.homeserver import UNLIMITED, TestServer, settings
from tests.kit.room_features import FEATURES
from workers.build import Homeserver, build_kit

OFTEN = {"per_user": UNLIMITED}


class StillClock(Clock):
    """Real waits, but a time that only `advance` moves."""

    passed_ms = 0

    def now_ms(self) -> int:
        return 1_700_000_000_000 + self.passed_ms

    def monotonic_ms(self) -> int:
        return 1_000_000 + self.passed_ms


class PresentServer(TestServer):
    """The server, its clock, and what its people do."""

    def __init__(self, homeserver: Homeserver, clock: StillClock) -> None:
        super().__init__(homeserver)
        self.still = clock
        self.presence: Presence = homeserver.front(Presence)

    async def advance(self, seconds: float) -> None:
        """Let time pass, let the job look at it, and let readers hear."""
        self.still.passed_ms += round(seconds * 1000)
        await self.presence.look_at_the_time()
        await self.homeserver.kit.clock.sleep(0)

    async def set(self, name: str, presence: str, **more: Any) -> None:
        await self.ok("PUT", f"/presence/@{name}:test/status", {"presence": presence, **more}, token=name)
        await self.homeserver.kit.clock.sleep(0)

    async def get(self, asker: str, name: str) -> Any:
        return await self.ok("GET", f"/presence/@{name}:test/status", token=asker)

    async def room(self, founder: str, *others: str) -> str:
        room_id = await self.create_room(founder, preset="public_chat")
        for other in others:
            await self.join(other, room_id)
        await self.caught_up()
        return room_id


def seen(response: Any) -> dict[str, Any]:
    """Sender → content of the presence events in a response."""
    events = response.get("presence", {}).get("events", [])
    assert len({event["sender"] for event in events}) == len(events)
    assert all(event["type"] == "m.presence" for event in events)
    return {event["sender"].split(":")[0]: event["content"] for event in events}


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PresentServer]:
    """A started server; `@pytest.mark.config(key=value)` changes its configuration."""
    mark = request.node.get_closest_marker("config")
    config = settings(request.param, tmp_path, {"rc_presence": OFTEN, **(mark.kwargs if mark else {})})
    clock = StillClock(reactor)

    kit = replace(build_kit(config, reactor), clock=clock, limiter=RateLimiter(clock))
    homeserver = Homeserver(kit, (*FEATURES, presence.FEATURE))
    await homeserver.start()
    yield PresentServer(homeserver, clock)
    await homeserver.stop()


async def test_who_shares_a_room_sees_presence_and_nobody_else(house: PresentServer) -> None:
    await house.room("ann", "bob")
    await house.set("ann", "online", status_msg="hello")
    here = {"presence": "online", "status_msg": "hello", "last_active_ago": 0, "currently_active": True}
    assert await house.get("ann", "ann") == await house.get("bob", "ann") == here
    for name in ("ann", "nobody"):
        answer = await house.request("GET", f"/presence/@{name}:test/status", token="eve")
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert seen(await house.sync("bob"))["@ann"] == here
    assert seen(await house.sync("eve")).keys() == {"@eve"}


async def test_a_sync_makes_online_and_its_end_offline(house: PresentServer) -> None:
    await house.room("ann", "bob")
    since = (await house.sync("bob", set_presence="offline"))["next_batch"]
    assert seen(await house.sync("ann")) == {
        "@ann": {"presence": "online", "last_active_ago": 0, "currently_active": True}
    }
    told = await house.sync("bob", since, set_presence="offline")
    assert seen(told) == {"@ann": {"presence": "online", "last_active_ago": 0, "currently_active": True}}
    await house.advance(29)
    again = await house.sync("bob", told["next_batch"], set_presence="offline")
    assert "presence" not in again
    await house.advance(1)
    gone = await house.sync("bob", again["next_batch"], set_presence="offline")
    assert seen(gone) == {"@ann": {"presence": "offline", "last_active_ago": 30_000}}
    assert seen(await house.sync("bob", set_presence="offline")) == {}, "a first sync leaves out who is offline"
    assert await house.get("bob", "ann") == {"presence": "offline", "last_active_ago": 30_000}


@pytest.mark.config(presence={"include_offline_users_on_sync": True})
async def test_a_first_sync_includes_who_is_offline_if_configured(house: PresentServer) -> None:
    await house.room("ann", "bob")
    await house.sync("ann")
    await house.advance(30)
    assert seen(await house.sync("bob", set_presence="offline"))["@ann"]["presence"] == "offline"


async def test_the_answer_after_which_one_is_online_already_says_so(house: PresentServer) -> None:
    first = await house.sync("ann")
    assert seen(first).keys() == {"@ann"}
    assert "presence" not in await house.sync("ann", first["next_batch"])


async def test_an_idle_user_becomes_unavailable_and_sending_ends_it(house: PresentServer) -> None:
    room_id = await house.room("ann", "bob")
    await house.presence.started_syncing("@ann:test", "DEVICE", "online")
    await house.advance(60)
    watch = await house.sync("bob", set_presence="offline")
    assert seen(watch)["@ann"] == {"presence": "online", "last_active_ago": 60_000, "currently_active": False}
    await house.advance(240)
    watch = await house.sync("bob", watch["next_batch"], set_presence="offline")
    assert seen(watch) == {"@ann": {"presence": "unavailable", "last_active_ago": 300_000}}
    await house.send("ann", room_id)
    await house.caught_up()
    await house.advance(1)
    watch = await house.sync("bob", watch["next_batch"], set_presence="offline")
    assert seen(watch) == {"@ann": {"presence": "online", "last_active_ago": 1_000, "currently_active": True}}
    house.presence.stopped_syncing("@ann:test", "DEVICE")
    await house.advance(30)
    assert (await house.get("bob", "ann"))["presence"] == "offline"


async def test_a_change_ends_the_long_polls_of_those_who_share_a_room(house: PresentServer) -> None:
    await house.room("ann", "bob")
    since = (await house.sync("bob"))["next_batch"]
    poll = Deferred.fromCoroutine(house.sync("bob", since, timeout=50_000))
    await house.set("eve", "online")
    await house.set("ann", "unavailable", status_msg="lunch")
    expected = {"presence": "unavailable", "last_active_ago": 0, "status_msg": "lunch"}
    assert seen(await poll) == {"@ann": expected}


async def test_nothing_is_told_twice(house: PresentServer) -> None:
    await house.room("ann", "bob")
    await house.set("ann", "online")
    since = (await house.sync("bob"))["next_batch"]
    await house.set("ann", "online")
    await house.sync("ann")
    assert "presence" not in await house.sync("bob", since)


async def test_a_room_that_one_joins_shows_its_members_and_is_shown_the_newcomer(house: PresentServer) -> None:
    room_id = await house.room("ann")
    ann, bob = (await house.sync("ann"))["next_batch"], (await house.sync("bob"))["next_batch"]
    await house.join("bob", room_id)
    await house.caught_up()
    assert "@ann" in seen(await house.sync("bob", bob))
    await house.advance(1)
    told = await house.sync("ann", ann)
    assert seen(told)["@bob"]["presence"] == "online"


async def test_who_has_left_is_seen_no_more(house: PresentServer) -> None:
    room_id = await house.room("ann", "bob")
    await house.set("ann", "online")
    await house.ok("POST", f"/rooms/{quote(room_id)}/leave", {}, token="ann")
    await house.caught_up()
    assert "@ann" not in seen(await house.sync("bob"))
    since = (await house.sync("bob"))["next_batch"]
    await house.set("ann", "unavailable")
    assert "@ann" not in seen(await house.sync("bob", since))
    assert (await house.request("GET", "/presence/@ann:test/status", token="bob")).status == 403


async def test_filters_are_obeyed(house: PresentServer) -> None:
    await house.room("ann", "bob")
    await house.set("ann", "online")
    for chosen in ('{"types":[]}', '{"not_types":["m.*"]}', '{"limit":0}', '{"not_senders":["@ann:test","@bob:test"]}'):
        assert "presence" not in await house.sync("bob", filter=f'{{"presence":{chosen}}}')
    only = await house.sync("bob", filter='{"presence":{"senders":["@ann:test"]}}')
    assert seen(only).keys() == {"@ann"}


async def test_ignored_users_are_hidden(house: PresentServer, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.room("ann", "bob")
    await house.set("ann", "online")

    async def ignored(preferences: object, user_id: str) -> frozenset[str]:
        return frozenset({"@ann:test"})

    monkeypatch.setattr("tests.kit.room_features.NoPreferences.ignored_users", ignored)
    assert seen(await house.sync("bob")).keys() == {"@bob"}


@pytest.mark.config(rc_presence={"per_user": {"per_second": 0.1, "burst_count": 1}})
async def test_changing_too_often_is_refused(house: PresentServer) -> None:
    await house.set("ann", "online")
    body = {"presence": "unavailable"}
    refused = await house.request("PUT", "/presence/@ann:test/status", body, token="ann")
    assert (refused.status, refused.body["errcode"]) == (429, "M_LIMIT_EXCEEDED")
    await house.sync("ann", set_presence="unavailable")
    assert (await house.get("ann", "ann"))["presence"] == "online", "nor is a sync heeded"
    await house.advance(10)
    await house.sync("ann", set_presence="unavailable")
    assert (await house.get("ann", "ann"))["presence"] == "unavailable"


@pytest.mark.config(presence={"enabled": False})
async def test_disabled_presence_shows_nothing(house: PresentServer) -> None:
    await house.room("ann", "bob")
    await house.set("ann", "online", status_msg="hello")
    assert "presence" not in await house.sync("ann")
    assert await house.get("bob", "ann") == await house.get("eve", "ann") == {"presence": "offline"}


async def test_bad_input_changes_nothing(house: PresentServer) -> None:
    bodies: list[Any] = [{}, {"presence": "here"}, {"presence": "online", "status_msg": 1}, {"presence": None}, []]
    for body in [*bodies, {"presence": "online", "status_msg": "é" * 2049}]:
        answer = await house.request("PUT", "/presence/@ann:test/status", body, token="ann")
        assert answer.status == 400, body
    other = await house.request("PUT", "/presence/@bob:test/status", {"presence": "online"}, token="ann")
    assert (other.status, other.body["errcode"]) == (403, "M_FORBIDDEN")
    assert await house.get("ann", "ann") == {"presence": "offline"}
    for odd in ("nobody", "%00", "@a%00:test", "@%F0%9F%98%80:test", "@" + "a" * 500 + ":test"):
        assert (await house.request("GET", f"/presence/{odd}/status", token="ann")).status in (400, 403), odd


async def test_members_of_excluded_rooms_do_not_see_each_other(house: PresentServer) -> None:
    room_id = await house.room("ann", "bob")
    house.presence.excluded_rooms = frozenset({room_id})
    await house.set("ann", "online")
    assert (await house.request("GET", "/presence/@ann:test/status", token="bob")).status == 403
