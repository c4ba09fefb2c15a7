"""Shows what a process does: joins the parts of a server to its metrics and to its readiness.

What is counted is declared where it is counted; here are the values that are looked up, and the checks.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from replication import sql
from replication.lag import Lag
from synapse_like.rooms.facts import EVENTS
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.metrics import EventCount, watch_rooms
from synapse_like.toolkit.config import Config
from synapse_like.toolkit.config.observability import ObservabilityConfig
from synapse_like.toolkit.config.server import Listener
from synapse_like.toolkit.feature import Built, Kit
from synapse_like.toolkit.http.listeners import Listeners, ListenerSettings
from synapse_like.toolkit.logs import name_process
from synapse_like.toolkit.metrics.caches import watch_cache
from synapse_like.toolkit.metrics.database import watch_database
from synapse_like.toolkit.metrics.http import CONNECTIONS
from synapse_like.toolkit.metrics.loop import watch_loop
from synapse_like.toolkit.metrics.process import describe_process, watch_gc
from synapse_like.toolkit.metrics.replication import LAG_ROWS, LAG_SECONDS, OWNED, QUEUE, QUEUE_AGE, SHARDS
from synapse_like.toolkit.outages import OUTAGES
from synapse_like.toolkit.readiness import Readiness
from workers.jobs import Job
from workers.spine import Spine

logger = logging.getLogger(__name__)

LAG_CHECK_SECONDS: Final = 5.0
READY_LAG_SECONDS: Final = 10.0
"""A process that is further behind than this gets no requests."""
RESOURCE: Final = "metrics"


class Observation:
    """What there is to see of a homeserver: its logs, database and rooms."""

    def __init__(self, kit: Kit, spine: Spine, readiness: Readiness) -> None:
        self._database = kit.database
        self._metrics = kit.metrics
        self.lag = Lag(spine.rooms.reader, kit.clock)
        watch_database(kit.metrics, kit.database)
        watch_rooms(kit.metrics, spine.rooms)
        metrics, committer = kit.metrics, spine.committer
        metrics.sample(QUEUE, committer.waiting)
        metrics.sample(QUEUE_AGE, committer.oldest_s)
        for holdings in spine.holdings:
            name = holdings.family.name
            metrics.sample(SHARDS, lambda family=holdings.family: family.shards, family=name)  # type: ignore[misc]
            metrics.sample(OWNED, lambda held=holdings: len(held.held), family=name)  # type: ignore[misc]
            if not holdings.family.is_log:
                continue
            metrics.sample(LAG_ROWS, partial(self.lag.rows, name), family=name)
            metrics.sample(LAG_SECONDS, partial(self.lag.seconds, name), family=name)
        rooms = next(holdings for holdings in spine.holdings if holdings.family == ROOM)
        spine.rooms.reader.subscribe(EVENTS, EventCount(metrics, lambda shard: shard in rooms.held).take)
        readiness.add("database", self._check_database)
        readiness.add("positions", self._check_positions)

    def show(self, built: Sequence[Built]) -> None:
        """Show the caches of features."""
        for each in built:
            for name, cache in each.caches.items():
                watch_cache(self._metrics, name, cache)

    def jobs(self) -> list[Job]:
        """What is looked at every now and then."""
        return [("lag", LAG_CHECK_SECONDS, self._note_positions)]

    async def _note_positions(self) -> None:
        self.lag.note(await self._database.read(sql.all_positions))

    async def _check_database(self) -> str | None:
        """One read, which also tells how far the logs go."""
        try:
            await self._note_positions()
        except OUTAGES:
            return "cannot be reached"
        return None

    async def _check_positions(self) -> str | None:
        seconds = self.lag.worst_seconds()
        return f"{seconds:.0f} seconds behind" if seconds > READY_LAG_SECONDS else None


def observe_process(kit: Kit, reactor: Any, listeners: Listeners, *, kind: str, name: str) -> Callable[[], None]:
    """Watch the process itself: its reactor, garbage and connections; what comes back ends it."""
    name_process(kind, name)
    describe_process(kit.metrics, kind, name)
    kit.metrics.sample(CONNECTIONS, lambda: listeners.connection_count)
    ends = [watch_loop(kit.metrics, reactor), watch_gc(kit.metrics)]

    def end() -> None:
        for each in ends:
            each()

    return end


def served_resources(config: Config, listener: Listener) -> frozenset[str]:
    """The resources of a configured listener: `metrics` only if `enable_metrics` is set."""
    names = listener.resource_names
    if RESOURCE in names and not config[ObservabilityConfig].enable_metrics:
        place = listener.path or f"port {listener.port}"
        logger.warning("The listener at %s serves no metrics: enable_metrics is not set", place)
        return names - {RESOURCE}
    return names


def listen_for_metrics(listeners: Listeners, address: str) -> None:
    """Serve /metrics and /health at ``ADDRESS:PORT`` (``[::1]:9100``), whatever the configuration says.

    Raises ValueError for an address that is none, CannotListen.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"must be ADDRESS:PORT, such as 127.0.0.1:9100, not {address!r}")
    settings = ListenerSettings(port=int(port), addresses=(host.strip("[]"),), resources=frozenset({RESOURCE}))
    listeners.start(settings)
