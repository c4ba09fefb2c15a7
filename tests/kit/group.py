"""Several processes of one server within this test's process: each with its own memory, sharing PostgreSQL and a bus.

Requests go to any of them by chance, as a proxy without a table would send them.
"""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from replication.rendezvous import wanted
from replication.sql import all_positions
from synapse_like.features.profile import ProfileSpread
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.http.app import App
from synapse_like.toolkit.http.router import Router
from tests.kit import redis
from tests.kit.homeserver import Answer, TestServer, settings
from workers.build import Homeserver, build_kit, build_sharing
from workers.kinds import kind_named
from workers.together import Process

KINDS = ("main", "event_writer", "event_writer", "sync", "client")
LEASE = "2s"


class Member:
    """One process: its server, and what answers its requests."""

    def __init__(self, config: Any, kind: str, name: str) -> None:
        self.name = name
        kit = build_kit(config, reactor)
        self.homeserver = Homeserver(kit, sharing=build_sharing(kit, reactor, Process(kind_named(kind), name)))
        elsewhere = self.homeserver.elsewhere()
        self.app = App(Router(self.homeserver.answers), self.homeserver.authenticators, elsewhere)

    @property
    def sharing(self) -> Any:
        """What it shares with others."""
        return self.homeserver.sharing

    def owned(self, family: str) -> list[int]:
        """The shards that it owns."""
        return sorted(shard for each in self.sharing.holdings if each.family.name == family for shard in each.held)


class Group(TestServer):
    """A server of several processes, as `TestServer` is one of a single process."""

    def __init__(self, config: Any, members: Sequence[Member]) -> None:
        self.config = config
        self.members = list(members)
        self.random = random.Random(1)
        super().__init__(members[0].homeserver)

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Send a request to any process."""
        self._app = self.random.choice(self.members).app
        return await super().request(method, path, body, **options)

    def at(self, member: Member) -> TestServer:
        """The server as it answers at one process."""
        server = TestServer(member.homeserver)
        server._app = member.app
        return server

    async def rooms_at(self, room_id: str) -> Rooms:
        """The spine of the process that owns a room."""
        shard = await self.members[0].sharing.owners._shards.of("room", room_id)
        (owner,) = [member for member in self.members if shard in member.owned("room")]
        return owner.homeserver.spine.rooms

    async def caught_up(self) -> None:
        """Wait until every process has heard of everything that was answered."""
        committed = await self.homeserver.kit.database.read(all_positions)
        for member in self.members:
            positions = member.homeserver.spine.rooms.reader.positions
            while any(not positions[name].reaches(committed[name]) for name in committed):
                await self.homeserver.kit.clock.sleep(0.002)

    async def idle(self) -> None:
        """Wait until nothing that was answered is still spreading or written behind, and everybody has heard of it."""
        for member in self.members:
            await member.homeserver.front(ProfileSpread).idle()
            for built in member.homeserver.built:
                for _, _, job in (*built.ticks, *built.jobs):
                    await job()
        await self.caught_up()

    async def add(self, kind: str, name: str) -> Member:
        """Start one more process, and wait until the shards are where they should be."""
        member = Member(self.config, kind, name)
        await member.homeserver.start()
        self.members.append(member)
        await self.settled()
        return member

    async def remove(self, member: Member) -> None:
        """Stop a process as an administrator does."""
        self.members.remove(member)
        await member.homeserver.stop()

    async def settled(self) -> None:
        """Wait until every shard is owned by exactly one process, the one that should."""
        while not self._is_settled():
            for member in self.members:
                member.sharing.ownership.look_soon()
            await self.homeserver.kit.clock.sleep(0.01)

    def _is_settled(self) -> bool:
        first = self.members[0].sharing
        workers = [member.sharing.registry.me for member in self.members]
        families = [each.family for each in first.holdings]
        owned = {
            (family.name, shard): member.name
            for member in self.members
            for family in families
            for shard in member.owned(family.name)
        }
        return owned == wanted(families, workers, first.claims)

    async def stop(self) -> None:
        """Stop all processes, main last."""
        for member in reversed(self.members):
            await member.homeserver.stop()


async def start_group(folder: Path, extra: Mapping[str, Any], kinds: Sequence[str] = KINDS) -> Group:
    """A started group on a database of its own."""
    extra = {"worker_lease": LEASE, **extra}
    config = settings("postgresql", folder, extra)
    members = []
    for index, kind in enumerate(kinds):
        members.append(Member(config, kind, f"{kind}-{index}"))
        await members[-1].homeserver.start()
    group = Group(config, members)
    await group.settled()
    return group


@pytest.fixture(params=["tcp", "redis"])
async def group(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Group]:
    """A group of processes with each bus."""
    extra: dict[str, Any] = {}
    if request.param == "redis":
        where = redis.start()
        extra["redis"] = {"enabled": True, "host": where.host, "port": where.port}
    mark = request.node.get_closest_marker("config")
    started = await start_group(tmp_path, extra | (mark.kwargs if mark else {}))
    yield started
    await started.stop()
