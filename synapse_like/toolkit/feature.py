"""What a feature is to the composition root: its declaration, the tools that it is built with, and what it plugs in.

A feature's `build` takes the kit and, by the types of its further parameters, the front doors of features before it. It
is the only code that sees the kit; no class keeps it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from replication.streams import Family, Storage, Stream
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.config import Config
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http.outgoing import Network
from synapse_like.toolkit.http.requester import Requester
from synapse_like.toolkit.metrics import Metric, Metrics
from synapse_like.toolkit.metrics.caches import Counted
from synapse_like.toolkit.randomness import Randomness
from synapse_like.toolkit.ratelimit import RateLimiter


@dataclass(frozen=True, slots=True)
class Kit:
    """The tools that know no room."""

    config: Config
    clock: Clock
    randomness: Randomness
    database: Database
    limiter: RateLimiter
    server_name: str
    network: Network
    metrics: Metrics = field(default_factory=Metrics)


class Service(Protocol):
    """Something that runs as long as the process does."""

    async def start(self) -> None:
        """Begin; the database is migrated and the shards are ours."""
        ...

    async def stop(self) -> None:
        """End, soon."""
        ...


class Tenant(Protocol):
    """Something that lives where shards of a family are owned: memory or work for the rooms, users, ... in them."""

    async def took(self, family: Family, shards: Sequence[int]) -> None:
        """These shards are ours from now on: load what must go on."""
        ...

    async def gave(self, family: Family, shards: Sequence[int]) -> None:
        """These shards are about to go, or are gone: stop what runs for them, forget what is remembered of them."""
        ...


Capability = Callable[[Requester], dict[str, Any]]
"""Gives a part of GET /capabilities, by capability name."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a feature plugs in.

    * `fronts`     front doors, handed to later features by type
    * `apis`       objects with `@endpoint` methods
    * `storages`   durable streams that it stores; `ephemeral` those without rows
    * `sections`   its parts of /sync (`sync.section.Section`)
    * `effects`    what it writes in the transaction of a batch of events (`rooms.ports.PersistEffect`)
    * `edu_sources`    what it tells other servers (`federation.edus.EduSource`)
    * `edu_receivers`  what it does with what they tell (`federation.edus.EduReceiver`)
    * `tenants`    what lives where shards are owned, with the families of them
    * `jobs`       (name, seconds between two runs, async function), by whoever holds the job's lease
    * `ticks`      the same, in every process
    * `caches`     caches that count, by name, for the metrics
    """

    fronts: Sequence[object] = ()
    apis: Sequence[object] = ()
    storages: Sequence[Storage[Any]] = ()
    ephemeral: Sequence[Stream[Any]] = ()
    sections: Sequence[Any] = ()
    effects: Sequence[Callable[..., None]] = ()
    edu_sources: Sequence[Any] = ()
    edu_receivers: Sequence[Any] = ()
    services: Sequence[Service] = ()
    capabilities: Sequence[Capability] = ()
    tenants: Sequence[tuple[Family, Tenant]] = ()
    jobs: Sequence[tuple[str, float, Callable[[], Any]]] = ()
    ticks: Sequence[tuple[str, float, Callable[[], Any]]] = ()
    caches: Mapping[str, Counted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature's declaration. `apis` are the classes whose endpoints it will plug in, known without building it."""

    name: str
    build: Callable[..., Built]
    package: str
    apis: Sequence[type] = ()
    configs: Sequence[type] = ()
    families: Sequence[Family] = ()
    """Families of leases or logs that it adds to those of rooms and users."""
    unstable: dict[str, bool] = field(default_factory=dict)
    """Its part of `unstable_features` in GET /versions."""
    metrics: Sequence[Metric] = ()
    """What it counts with `kit.metrics`, for the documentation."""
