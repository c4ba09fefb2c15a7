"""The composition root: one process that is a whole server, put together from the catalogue."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from replication.streams import Family
from synapse_like.catalogue import FEATURES
from synapse_like.features import unread
from synapse_like.features.server import Capabilities
from synapse_like.federation import outbound
from synapse_like.federation.edus import EduReception
from synapse_like.federation.outbound import Sender
from synapse_like.matrix.signing_keys import read_signing_keys
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.ports import Notices
from synapse_like.rooms.uncounted import Uncounted
from synapse_like.sync.api import SyncApi
from synapse_like.sync.logic import Sync
from synapse_like.sync.metrics import SyncMeters
from synapse_like.sync.notifier import Notifier
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.config import Config
from synapse_like.toolkit.config.server import DatabaseConfig, ServerConfig
from synapse_like.toolkit.db import Database, migrations_in, open_engine
from synapse_like.toolkit.feature import Built, Feature, Kit
from synapse_like.toolkit.http.app import App, Elsewhere
from synapse_like.toolkit.http.authentication import Authenticators
from synapse_like.toolkit.http.endpoint import BoundEndpoint, bound
from synapse_like.toolkit.http.outgoing import OutgoingConfig, build_network
from synapse_like.toolkit.http.router import Router
from synapse_like.toolkit.metrics import Metrics
from synapse_like.toolkit.metrics.outgoing import OutgoingMetrics
from synapse_like.toolkit.randomness import Randomness
from synapse_like.toolkit.ratelimit import RateLimiter
from synapse_like.toolkit.readiness import Readiness
from workers.alone import Alone
from workers.jobs import Job, Jobs
from workers.observing import Observation
from workers.spine import FAMILIES, OnLost, Place, Spine, build_spine, go_on
from workers.tenancy import Tenants
from workers.together import Process, Sharing, WorkersConfig

STOP_GRACE_SECONDS = 2.0


def build_kit(config: Config, reactor: Any) -> Kit:
    """The tools, from the configuration. Raises DatabaseUnavailable."""
    database = config[DatabaseConfig].database
    clock, metrics = Clock(reactor), Metrics()
    return Kit(
        config=config,
        clock=clock,
        randomness=Randomness(),
        database=Database(
            open_engine(database.name, database.arguments, prepares=database.prepare_statements),
            reactor,
            readers=_readers(config),
        ),
        limiter=RateLimiter(clock),
        server_name=config[ServerConfig].server_name,
        network=build_network(reactor, clock, config[OutgoingConfig], meters=partial(OutgoingMetrics, metrics)),
        metrics=metrics,
    )


class Homeserver:
    """A whole server in one process; one of several if there is a `sharing`. `answers` are its endpoints."""

    def __init__(
        self,
        kit: Kit,
        features: Sequence[Feature] = FEATURES,
        on_lost: OnLost = go_on,
        sharing: Sharing | None = None,
    ) -> None:
        self.kit = kit
        self.sharing = sharing
        notices = _notices(kit, features)
        place: Place = sharing or Alone(kit, families_of(features))
        self.spine: Spine = build_spine(kit, _signing_key(kit.config), notices, on_lost, place)
        self.readiness = Readiness(kit.clock)
        self._features = features
        rooms = self.spine.rooms
        if sharing is not None:
            sharing.attach(self.spine.committer, rooms)
            self.readiness.add("shards", sharing.is_settled)
        self.notifier = Notifier(rooms.reader, kit.clock)
        self.built = _build_all(features, [kit, rooms, notices, self.notifier, self.readiness], self._give_twins)
        self.observation = Observation(kit, self.spine, self.readiness)
        self._jobs = Jobs(kit.clock, [*self.observation.jobs(), *self._repeated()], kit.metrics)
        self._tenants = Tenants([each for built in self.built for each in built.tenants], rooms.live)
        capabilities = self.front(Capabilities)
        capabilities.extend(source for built in self.built for source in built.capabilities)
        for feature in features:
            capabilities.unstable_features |= feature.unstable
        self.built.append(_build_sync(kit, rooms, self.notifier, self.built))
        self._connect_servers()
        self.observation.show(self.built)
        for built in self.built:
            self.spine.store(built.storages, built.ephemeral)
        self.spine.store_events([effect for built in self.built for effect in built.effects])
        if sharing is not None:
            sharing.speak(stream for stream in rooms.reader.streams())

    def _give_twins(self, things: Sequence[object]) -> None:
        if self.sharing is not None:
            self.sharing.give_twins(things)

    def _connect_servers(self) -> None:
        """Hand what features exchange with other servers to those who send and take in."""
        if outbound.FEATURE in self._features:
            self.front(Sender).add([source for built in self.built for source in built.edu_sources])
            self.front(EduReception).add(receiver for built in self.built for receiver in built.edu_receivers)

    def _repeated(self) -> Iterator[Job]:
        yield from self.spine.ticks()
        for built in self.built:
            yield from built.ticks
            for name, seconds, job in built.jobs:
                yield name, seconds, job if self.sharing is None else self.sharing.where_jobs_run(job)

    @property
    def process(self) -> Process:
        """What this process is called, and what for."""
        return Process() if self.sharing is None else self.sharing.process

    def front(self, kind: type) -> Any:
        """The front door of that type."""
        return next(front for built in self.built for front in built.fronts if isinstance(front, kind))

    @property
    def answers(self) -> list[BoundEndpoint]:
        """Every endpoint with what answers it."""
        return [pair for built in self.built for api in built.apis for pair in bound(api)]

    @property
    def authenticators(self) -> Authenticators:
        """Who knows access tokens, and who knows the signatures of other servers."""
        fronts = [front for built in self.built for front in built.fronts]
        users: Any = next(front for front in fronts if hasattr(front, "authenticate"))
        servers: Any = next((front for front in fronts if hasattr(front, "authenticate_server")), None)
        return Authenticators(users) if servers is None else Authenticators(users, servers)

    def elsewhere(self) -> Elsewhere | None:
        """Who knows where requests belong; None if all of them belong here."""
        if self.sharing is None:
            return None
        owners = self.sharing.owners
        owners.app = App(Router(self.answers), self.authenticators)
        return owners

    async def start(self) -> None:
        """Migrate, take the shards, start services and jobs."""
        await self.spine.start([m for feature in self._features for m in migrations_in(feature.package)])
        for built in self.built:
            for service in built.services:
                await service.start()
        if self.sharing is None:
            for family in families_of(self._features):
                await self._tenants.took(family, range(family.shards))
        else:
            await self.sharing.join(self._tenants)
        self._jobs.start()
        self.readiness.settle()

    async def drain(self) -> None:
        """Give what others can have to them, while requests are still answered."""
        if self.sharing is not None:
            await self.sharing.drain()

    async def stop(self) -> None:
        """Give what is owned away, stop services, commit what is queued, close the database."""
        self._jobs.stop()
        if self.sharing is None:
            for family in families_of(self._features):
                await self._tenants.gave(family, range(family.shards))
        else:
            await self.sharing.give()
        for built in reversed(self.built):
            for service in built.services:
                await service.stop()
        if self.sharing is not None:
            await self.sharing.leave()
        await self.spine.stop()


def build_sharing(kit: Kit, reactor: Any, process: Process, features: Sequence[Feature] = FEATURES) -> Sharing:
    """What makes a process one of several."""
    secret = kit.config[WorkersConfig].worker_replication_secret
    known = secret.value if secret else _signing_key(kit.config).signature(b"calls between processes")
    sharing = Sharing(process, kit, reactor, families_of(features), known.encode())
    sharing.on_replaced = reactor.stop
    return sharing


def _notices(kit: Kit, features: Sequence[Feature]) -> Notices:
    """What counts unread messages: it is called by the spine, and so is made before it."""
    if unread.FEATURE not in features:
        return Uncounted()
    return unread.UnreadNotices(kit.database, kit.clock, kit.server_name)


def families_of(features: Iterable[Feature]) -> list[Family]:
    """The families of logs and leases that these features use."""
    return [*FAMILIES, *(family for feature in features for family in feature.families)]


def _build_all(
    features: Iterable[Feature], parts: Sequence[object], give_twins: Callable[[Sequence[object]], None]
) -> list[Built]:
    """Call the builds in the catalogue's order, each with the parts and front doors that it asks for by type."""
    fronts: dict[Any, Any] = {type(part): part for part in parts}
    done = []
    for feature in features:
        hints = get_type_hints(feature.build)
        hints.pop("return", None)
        built = feature.build(**{name: fronts[kind] for name, kind in hints.items()})
        give_twins(built.fronts)
        fronts |= {type(front): front for front in built.fronts}
        done.append(built)
    return done


def _build_sync(kit: Kit, rooms: Rooms, notifier: Notifier, built: Sequence[Built]) -> Built:
    """/sync over the sections of all features; it comes last."""
    sections = [section for each in built for section in each.sections]
    fronts = [front for each in built for front in each.fronts]
    preferences: Any = next(front for front in fronts if hasattr(front, "ignored_users"))
    presence: Any = next((front for front in fronts if hasattr(front, "started_syncing")), None)
    process = kit.randomness.random_below(2**28) + 1
    sync = Sync(
        kit.database, kit.clock, rooms, notifier, sections, preferences, process, SyncMeters(kit.metrics, notifier)
    )
    apis = [SyncApi(sync, preferences, presence)]
    return Built(fronts=[sync], apis=apis, caches={"whole_rooms": sync.whole_rooms.cache})


def _signing_key(config: Config) -> Any:
    path = config[ServerConfig].signing_key_path
    return read_signing_keys(Path(str(path)).read_text())[0]


def _readers(config: Config) -> int:
    return max(2, min(config[DatabaseConfig].database.connections[1] - 3, 8))
