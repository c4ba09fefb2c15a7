"""Leaving everywhere after an account was closed: in the background, and again until it has worked."""

import logging
from typing import Final

from twisted.internet.defer import Deferred

from synapse_like.features.accounts.logic import Accounts
from synapse_like.toolkit.outages import is_outage

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 300.0


class Departures:
    """Sees to it that the users of closed accounts leave; a service, so that a restart resumes it."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._under_way: dict[str, Deferred[None]] = {}

    def begin(self, user_id: str, is_erased: bool) -> None:
        """Begin to leave, unless that is under way."""
        if user_id in self._under_way:
            return
        leaving = Deferred.fromCoroutine(self._leave(user_id, is_erased))
        if not leaving.called:
            self._under_way[user_id] = leaving

    async def resume(self) -> None:
        """Begin whatever is not done."""
        for user_id, is_erased in await self._accounts.departing():
            self.begin(user_id, is_erased)

    async def idle(self) -> None:
        """Wait until all that is under way has ended, well or not."""
        while self._under_way:
            await next(iter(self._under_way.values()))

    async def start(self) -> None:
        """Resume what a stop interrupted."""
        await self.resume()

    async def stop(self) -> None:
        """Break off; the next start resumes."""
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
