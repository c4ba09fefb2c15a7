"""The composition root: one process that is a whole server, put together from the catalogue."""

from collections.abc import Iterable, Iterator, Sequence
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
from synapse_like.toolkit.feature import Built, Feature, Kit, Tenant
from synapse_like.toolkit.http.authentication import Authenticators
from synapse_like.toolkit.http.endpoint import BoundEndpoint, bound
from synapse_like.toolkit.http.listeners import Listeners, ListenerSettings, Surroundings
from synapse_like.toolkit.http.outgoing import OutgoingConfig, build_network
from synapse_like.toolkit.http.tls import TlsFiles
from synapse_like.toolkit.metrics.http import HttpMetrics
from synapse_like.toolkit.randomness import Randomness
from synapse_like.toolkit.ratelimit import RateLimiter
from synapse_like.toolkit.readiness import Readiness
from workers.jobs import Job, Jobs
from workers.observing import Observation, observe_process, served_resources
from workers.spine import OWNER, OnLost, Spine, build_spine, go_on

STOP_GRACE_SECONDS = 2.0


def build_kit(config: Config, reactor: Any) -> Kit:
    """The tools, from the configuration. Raises DatabaseUnavailable."""
    database = config[DatabaseConfig].database
    clock = Clock(reactor)
    return Kit(
        config=config,
        clock=clock,
        randomness=Randomness(),
        database=Database(open_engine(database.name, database.arguments), reactor, readers=_readers(config)),
        limiter=RateLimiter(clock),
        server_name=config[ServerConfig].server_name,
        network=build_network(reactor, clock, config[OutgoingConfig]),
    )


class Homeserver:
    """A whole server in one process. `answers` are its endpoints; listeners come with `listen`."""

    def __init__(self, kit: Kit, features: Sequence[Feature] = FEATURES, on_lost: OnLost = go_on) -> None:
        self.kit = kit
        notices = _notices(kit, features)
        self.spine: Spine = build_spine(kit, _signing_key(kit.config), notices, on_lost)
        self.readiness = Readiness(kit.clock)
        self._features = features
        self.notifier = Notifier(self.spine.rooms.reader)
        self.built = _build_all(features, [kit, self.spine.rooms, notices, self.notifier, self.readiness])
        self.observation = Observation(kit, self.spine, self.readiness)
        self._jobs = Jobs(kit.clock, [*self.spine.jobs(), *self.observation.jobs(), *self._repeated()])
        capabilities = self.front(Capabilities)
        capabilities.extend(source for built in self.built for source in built.capabilities)
        for feature in features:
            capabilities.unstable_features |= feature.unstable
        self.built.append(_build_sync(kit, self.spine.rooms, self.notifier, self.built))
        self._connect_servers()
        self.observation.show(self.built)
        for built in self.built:
            self.spine.store(built.storages, built.ephemeral)
        self.spine.store_events([effect for built in self.built for effect in built.effects])

    def _connect_servers(self) -> None:
        """Hand what features exchange with other servers to those who send and take in."""
        if outbound.FEATURE in self._features:
            self.front(Sender).add([source for built in self.built for source in built.edu_sources])
            self.front(EduReception).add(receiver for built in self.built for receiver in built.edu_receivers)

    def _repeated(self) -> Iterator[Job]:
        for built in self.built:
            yield from (*built.jobs, *built.ticks)

    def _tenants(self) -> Iterator[tuple[Family, Tenant]]:
        for built in self.built:
            yield from built.tenants

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

    async def start(self) -> None:
        """Migrate, take the shards, start services and jobs."""
        await self.spine.start([m for feature in self._features for m in migrations_in(feature.package)])
        for built in self.built:
            for service in built.services:
                await service.start()
        for family, tenant in self._tenants():
            await tenant.took(family, range(family.shards))
        self._jobs.start()
        self.readiness.settle()

    async def stop(self) -> None:
        """Stop services, commit what is queued, close the database."""
        self._jobs.stop()
        for family, tenant in self._tenants():
            await tenant.gave(family, range(family.shards))
        for built in reversed(self.built):
            for service in built.services:
                await service.stop()
        await self.spine.stop()


class ListeningServer:
    """A homeserver and its listeners."""

    def __init__(self, homeserver: Homeserver, reactor: Any) -> None:
        self.homeserver = homeserver
        kit = homeserver.kit
        surroundings = Surroundings(reactor, kit.clock, homeserver.authenticators, HttpMetrics(kit.metrics))
        self.listeners = Listeners(surroundings, homeserver.answers)
        self._stop_observing = observe_process(kit, reactor, self.listeners, kind=OWNER, name=OWNER)

    async def start(self) -> None:
        """Start the server, then listen."""
        await self.homeserver.start()
        for listener in self.homeserver.kit.config[ServerConfig].listeners:
            self.listeners.start(
                ListenerSettings(
                    port=listener.port,
                    addresses=listener.addresses,
                    path=Path(listener.path) if listener.path else None,
                    mode=int(listener.mode, 8),
                    resources=served_resources(self.homeserver.kit.config, listener),
                    x_forwarded=listener.x_forwarded,
                    trusted_proxies=listener.trusted_proxies,
                    request_id_header=listener.request_id_header,
                    tag=listener.tag,
                    tls=_tls(self.homeserver.kit.config) if listener.tls else None,
                )
            )

    async def stop(self) -> None:
        """Answer who waits, stop listening, then stop the server."""
        self.homeserver.readiness.drain()
        self.homeserver.notifier.close()
        await self.listeners.stop(STOP_GRACE_SECONDS)
        await self.homeserver.stop()
        self._stop_observing()


def build_server(config: Config, reactor: Any) -> ListeningServer:
    """The server that a configuration describes."""
    return ListeningServer(Homeserver(build_kit(config, reactor), on_lost=reactor.stop), reactor)


def _notices(kit: Kit, features: Sequence[Feature]) -> Notices:
    """What counts unread messages: it is called by the spine, and so is made before it."""
    if unread.FEATURE not in features:
        return Uncounted()
    return unread.UnreadNotices(kit.database, kit.clock, kit.server_name)


def _build_all(features: Iterable[Feature], parts: Sequence[object]) -> list[Built]:
    """Call the builds in the catalogue's order, each with the parts and front doors that it asks for by type."""
    fronts: dict[Any, Any] = {type(part): part for part in parts}
    done = []
    for feature in features:
        hints = get_type_hints(feature.build)
        hints.pop("return", None)
        built = feature.build(**{name: fronts[kind] for name, kind in hints.items()})
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
    return Built(fronts=[sync], apis=[SyncApi(sync, preferences, presence)])


def _signing_key(config: Config) -> Any:
    path = config[ServerConfig].signing_key_path
    return read_signing_keys(Path(str(path)).read_text())[0]


def _tls(config: Config) -> TlsFiles:
    server = config[ServerConfig]
    return TlsFiles(Path(str(server.tls_certificate_path)), Path(str(server.tls_private_key_path)))


def _readers(config: Config) -> int:
    return max(2, min(config[DatabaseConfig].database.connections[1] - 3, 8))
