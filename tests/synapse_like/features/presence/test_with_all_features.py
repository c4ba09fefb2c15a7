"""Presence among all other features: real accounts, and reading as an activity."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from twisted.internet import reactor

from tests.kit.homeserver import settings
from tests.synapse_like.features.presence.test_presence import PresentServer, StillClock, seen
from workers.build import Homeserver, build_kit


async def test_reading_a_message_makes_an_idle_user_active(tmp_path: Path) -> None:
    clock = StillClock(reactor)
    homeserver = Homeserver(replace(build_kit(settings("sqlite", tmp_path, {}), reactor), clock=clock))
    await homeserver.start()
    try:
        server = PresentServer(homeserver, clock)
        ann, bob = await server.register("ann"), await server.register("bob")
        room_id = await server.room(ann, bob)
        event_id = await server.send(bob, room_id)
        await server.presence.started_syncing("@ann:test", "D", "online")
        await server.advance(300)
        watch = await server.sync(bob)
        assert seen(watch)["@ann"]["presence"] == "unavailable"
        await server.ok("POST", f"/rooms/{quote(room_id)}/receipt/m.read/{quote(event_id)}", {}, token=ann)
        await server.caught_up()
        await server.advance(1)
        told = seen(await server.sync(bob, watch["next_batch"]))
        assert told["@ann"] == {"presence": "online", "last_active_ago": 1_000, "currently_active": True}
    finally:
        await homeserver.stop()
