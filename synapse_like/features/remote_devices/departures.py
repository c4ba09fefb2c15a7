"""Forgets the devices of other servers' users who have left the last room that is shared with them."""

import logging
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from synapse_like.features.remote_devices.cache import RemoteDeviceCache
from synapse_like.federation.outbound import Sender
from synapse_like.rooms.facts import EventFact
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER

logger = logging.getLogger(__name__)


class Departures:
    """Looks where the destination of the user's server is owned, so that one process does."""

    def __init__(self, cache: RemoteDeviceCache, sender: Sender, server_name: str) -> None:
        self._cache = cache
        self._sender = sender
        self._server_name = server_name
        self._gone: set[str] = set()
        self._is_running = False

    def take(self, facts: Sequence[EventFact]) -> None:
        """Note who has left."""
        for fact in facts:
            for change in fact.trunk if fact.members else ():
                is_here = change.member is not None and change.member.membership == "join"
                if change.type == MEMBER and not is_here and self._is_mine(server_of(change.state_key)):
                    self._gone.add(change.state_key)
        if self._gone and not self._is_running:
            self._is_running = True
            running = Deferred.fromCoroutine(self._forget())
            _ = running.addErrback(lambda failure: logger.info("who has left: %s", failure.getErrorMessage()))

    def _is_mine(self, server: str) -> bool:
        return server != self._server_name and self._sender.is_owner(server)

    async def _forget(self) -> None:
        try:
            while self._gone:
                gone, self._gone = self._gone, set()
                await self._cache.forget_strangers(gone)
        finally:
            self._is_running = False
