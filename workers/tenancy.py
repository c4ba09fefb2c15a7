"""What lives where shards are owned, told together when shards come and go."""

import logging
from collections.abc import Sequence

from replication.streams import Family
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.toolkit.feature import Tenant

logger = logging.getLogger(__name__)


class Tenants:
    """All tenants of this process. Implements `replication.ownership.Tenancy`."""

    def __init__(self, tenants: Sequence[tuple[Family, Tenant]], live: LiveRooms) -> None:
        self._tenants = tenants
        self._live = live

    async def took(self, family: Family, shards: Sequence[int]) -> None:
        """These shards are ours from now on; what was read of their rooms before may be old."""
        if family == ROOM:
            for shard in shards:
                self._live.drop_shard(shard)
        for theirs, tenant in self._tenants:
            if theirs == family:
                try:
                    await tenant.took(family, shards)
                except Exception:
                    logger.exception("%s could not begin with shards of %s", type(tenant).__name__, family.name)

    async def gave(self, family: Family, shards: Sequence[int]) -> None:
        """These shards are about to go, or are gone."""
        for theirs, tenant in self._tenants:
            if theirs == family:
                try:
                    await tenant.gave(family, shards)
                except Exception:
                    logger.exception("%s could not end with shards of %s", type(tenant).__name__, family.name)
        if family == ROOM:
            for shard in shards:
                self._live.drop_shard(shard)
