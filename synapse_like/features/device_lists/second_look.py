"""A second look at the rooms that hear of a change, after its commit.

The rooms of a fact are read before it is stored. Who joins a room in between is shown to its members, who then ask for
keys and may still get the old ones; the fact does not name their room. So the rooms are read again once the fact is
committed: whoever is seen to join only after that read is asked for keys after the change.
"""

import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from replication.numbers import shard_of
from replication.reader import Reader
from replication.streams import Family
from synapse_like.features.device_lists.logic import DeviceLists
from synapse_like.features.device_lists.stream import DEVICE_LISTS, DeviceListFact

logger = logging.getLogger(__name__)


class SecondLook:
    """Looks again where the user's shard is owned; a tenant."""

    def __init__(self, lists: DeviceLists, reader: Reader) -> None:
        self._lists = lists
        self._shards: set[int] = set()
        self._due: list[DeviceListFact] = []
        self._is_looking = False
        reader.subscribe(DEVICE_LISTS, self._take)

    async def took(self, family: Family, shards: Sequence[int]) -> None:
        """Look at what happens in these shards."""
        self._shards.update(shards)

    async def gave(self, family: Family, shards: Sequence[int]) -> None:
        """Look at them no more."""
        self._shards.difference_update(shards)

    def _take(self, facts: Sequence[DeviceListFact]) -> None:
        self._due += [fact for fact in facts if shard_of(fact.number) in self._shards]
        if self._due and not self._is_looking:
            self._is_looking = True
            _run(self._look())

    async def _look(self) -> None:
        """One look after the other: what happens meanwhile is looked at together, by the next."""
        try:
            while self._due:
                due, self._due = self._due, []
                rooms = await self._lists.rooms_of_all(sorted({fact.user_id for fact in due}))
                for fact in due:
                    missed = set(rooms.get(fact.user_id, ())).difference(fact.rooms)
                    if missed:
                        _run(self._lists.tell_again(fact.user_id, fact.device_id, fact.is_deleted, sorted(missed)))
        finally:
            self._is_looking = False


def _run(look: Coroutine[Any, Any, None]) -> None:
    running = Deferred.fromCoroutine(look)
    _ = running.addErrback(lambda failure: logger.warning("no second look: %s", failure.getErrorMessage()))
