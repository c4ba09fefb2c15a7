"""Leaving everywhere after an account was closed: in the background, and again until it has worked."""

import logging
from collections.abc import Sequence
from typing import Final

from twisted.internet.defer import Deferred

from replication.streams import Family
from synapse_like.features.accounts.logic import Accounts
from synapse_like.rooms.families import UserLog
from synapse_like.toolkit.outages import is_outage

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 300.0


class Departures:
    """Sees to it that the users of closed accounts leave; goes on where they live, also after a restart."""

    def __init__(self, accounts: Accounts, log: UserLog) -> None:
        self._accounts = accounts
        self._log = log
        self._under_way: dict[str, Deferred[None]] = {}

    def begin(self, user_id: str, is_erased: bool) -> None:
        """Begin to leave, unless that is under way."""
        if user_id in self._under_way:
            return
        leaving = Deferred.fromCoroutine(self._leave(user_id, is_erased))
        if not leaving.called:
            self._under_way[user_id] = leaving

    async def resume(self) -> None:
        """Begin whatever is not done, for the users who live here."""
        departing = dict(await self._accounts.departing())
        for user_id in await self._log.ours(departing):
            self.begin(user_id, departing[user_id])

    async def idle(self) -> None:
        """Wait until all that is under way has ended, well or not."""
        while self._under_way:
            await next(iter(self._under_way.values()))

    async def took(self, _family: Family, _shards: Sequence[int]) -> None:
        """Resume what a stop interrupted, or another process has left."""
        await self.resume()

    async def gave(self, _family: Family, _shards: Sequence[int]) -> None:
        """Break off; whoever has the users next resumes."""
        for leaving in list(self._under_way.values()):
            leaving.cancel()

    async def _leave(self, user_id: str, is_erased: bool) -> None:
        try:
            await self._accounts.depart(user_id, is_erased)
        except BaseException as error:
            what = "%s has not left everywhere yet; will go on later: %s"
            logger.warning(what, user_id, error, exc_info=not is_outage(error))
        finally:
            self._under_way.pop(user_id, None)
