"""Starts all processes of a cluster in order, keeps them running, and stops them in the order that loses nothing.

Order of the start: PostgreSQL and Redis (if they are ours), main, which migrates, then all others, then the proxy. Of
the end: the proxy takes nothing new, the others drain, main, then Redis and PostgreSQL.
"""

import json
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db.errors import DatabaseError
from workers.kinds import MAIN
from workers.routes.upstreams import Address
from workers.supervisor.child import Child, Spec
from workers.supervisor.embedded import postgres_answers, prepare_postgres, prepare_redis
from workers.supervisor.health import wait_until_ready
from workers.supervisor.layout import Place

PROCESSES_FILE: Final = "processes.json"
START_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 13.0
SERVERS_STOP_SECONDS: Final = 4.0
STOP_SECONDS: Final = 20.0
MOST_STARTS: Final = 3
"""A process that has died so often before it was ready for the first time will not be."""
TELL_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.1

logger = logging.getLogger(__name__)


class DidNotStart(OSError):
    """A process that all others need is not there; the words say which, and where its log is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run, and where clients come. `database` says how our own PostgreSQL is reached, if it is ours."""

    data: Path
    places: Sequence[Place]
    command_of: Callable[[Place], list[str]]
    public: Address
    database: Mapping[str, Any] | None = None
    has_redis: bool = False
    proxy: Callable[[], Spec] | None = None
    tell_proxy: Callable[[], None] | None = None
    """Tells the proxy who owns what; called now and then, in a thread."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def most_connections(self) -> int:
        """How many connections PostgreSQL must take: a pool for each process, and some for people."""
        return 20 + 16 * len(self.places)


class Supervisor:
    """A cluster. `children` are its processes by name."""

    def __init__(self, plan: Plan, reactor: Any) -> None:
        self.plan = plan
        self.children: dict[str, Child] = {}
        self._reactor = reactor
        self._clock = Clock(reactor)
        self._is_stopping = False
        self._run = plan.data / "run"
        self._logs = plan.data / "logs"

    async def start(self) -> None:
        """Start everything; returns when it answers. Raises DidNotStart, CannotEmbed or NoProgram."""
        for folder in (self._run, self._logs):
            folder.mkdir(exist_ok=True, mode=0o700)
        await self._start_servers()
        (main, *others) = self.plan.places
        await self._start_places([main])
        await self._start_places(others)
        if self.plan.proxy is not None:
            self._add(self.plan.proxy())
            await self._wait_for("proxy", self.plan.public)
        if self.plan.tell_proxy is not None:
            _ = Deferred.fromCoroutine(self._keep_telling(self.plan.tell_proxy))

    async def stop(self) -> None:
        """End everything within ``STOP_SECONDS``, also what has only begun to start."""
        self._is_stopping = True
        for child in self.children.values():
            child.let_go()
        proxies = [child for name, child in self.children.items() if name == "proxy"]
        for child in proxies:
            _ = child.stop(DRAIN_SECONDS, signal.SIGUSR1)
        ours = {place.name: place.kind for place in self.plan.places}
        others = [child for name, child in self.children.items() if ours.get(name, MAIN) is not MAIN]
        await _all_stopped(others, DRAIN_SECONDS)
        mains = [child for name, child in self.children.items() if ours.get(name) is MAIN]
        await _all_stopped([*mains, *proxies], SERVERS_STOP_SECONDS)
        await _all_stopped([self.children[name] for name in ("redis", "postgres") if name in self.children], 2.0)

    async def _start_servers(self) -> None:
        if (database := self.plan.database) is not None:
            self._add(await self._in_thread(partial(prepare_postgres, self.plan.data, self.plan.most_connections)))
            if not await self._eventually(partial(postgres_answers, database)):
                raise DidNotStart(f"PostgreSQL did not start; see {self._logs / 'postgres.log'}")
        if self.plan.has_redis:
            self._add(prepare_redis(self.plan.data))

    async def _start_places(self, wanted: Sequence[Place]) -> None:
        for place in wanted:
            self._add(Spec(place.name, self.plan.command_of(place), environment=self.plan.environment))
        for place in wanted:
            await self._wait_for(place.name, place.listen)

    async def _wait_for(self, name: str, address: Address) -> None:
        child = self.children[name]
        hopeless = partial(self._is_hopeless, child)
        if not await wait_until_ready(self._reactor, self._clock, address, START_SECONDS, hopeless):
            raise DidNotStart(f"{name} did not start; see {child.log}")
        logger.info("%s is ready", name)

    def _is_hopeless(self, child: Child) -> bool:
        """Whether a process that never was ready need not be waited for."""
        return self._is_stopping or child.starts > MOST_STARTS

    async def _eventually(self, holds: Callable[[], bool]) -> bool:
        deadline_ms = self._clock.monotonic_ms() + int(1000 * START_SECONDS)
        while self._clock.monotonic_ms() < deadline_ms and not self._is_stopping:
            if await self._in_thread(holds):
                return True
            await self._clock.sleep(_PAUSE_SECONDS)
        return False

    async def _keep_telling(self, tell: Callable[[], None]) -> None:
        """Tell the proxy who owns what until the end. What goes wrong costs ways around, and nothing else."""
        is_well = True
        while not self._is_stopping:
            try:
                await self._in_thread(tell)
                is_well = True
            except (OSError, DatabaseError) as error:
                if is_well and not self._is_stopping:
                    logger.warning("the proxy was not told who owns which rooms: %s", error)
                is_well = False
            await self._clock.sleep(TELL_SECONDS)

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call)

    def _add(self, spec: Spec) -> None:
        """Start a process, unless everything is about to end."""
        if self._is_stopping:
            raise DidNotStart("told to stop while starting")
        child = Child(spec, self._reactor, self._clock, self._logs, self._note)
        self.children[spec.name] = child
        child.start()

    def _note(self) -> None:
        """Keep the file that says which processes there are."""
        kinds = {place.name: place for place in self.plan.places}
        found = {}
        for name, child in self.children.items():
            place = kinds.get(name)
            found[name] = {"pid": child.pid, "starts": child.starts, "log": str(child.log.resolve())}
            if place is not None:
                listens = {"listen": str(place.listen), "metrics": str(place.metrics)}
                found[name] |= {"kind": place.kind.name, **listens}
        unfinished = self._run / f"{PROCESSES_FILE}.new"
        unfinished.write_text(json.dumps(found, indent=1))
        unfinished.rename(self._run / PROCESSES_FILE)


async def _all_stopped(children: Sequence[Child], seconds: float) -> None:
    await DeferredList([child.stop(seconds) for child in children])
