"""`to_device` in /sync: what waits for the device, in order, at most 100 at a time.

What a client has got is gone when it asks on from there. If more waits than fits, the place that the response names
stays behind in the user's log, so that the rest comes next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from replication.numbers import counter_of, pack
from replication.reader import Reader
from synapse_like.features.to_device import sql
from synapse_like.features.to_device.arrivals import Arrivals
from synapse_like.features.to_device.facts import EVERY_DEVICE
from synapse_like.features.to_device.stream import TO_DEVICE
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.http.requester import Requester

LIMIT: Final = 100


class ToDeviceSection:
    """Messages to the device."""

    name = "to_device"
    is_ephemeral = False

    def __init__(self, reader: Reader, arrivals: Arrivals) -> None:
        self._reader = reader
        self._arrivals = arrivals

    def nothing_new(self, requester: Requester, since: SyncToken) -> Mapping[str, bytes] | None:
        """Nothing to tell; but what the client got before has arrived."""
        if requester.device_id is not None:
            self._arrivals.got(requester.user_id, requester.device_id, since.user_floor(requester.shard))
        return {}

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add what came since, from recent facts."""
        device_id, after = context.requester.device_id, context.user_after()
        if after is None:
            return False
        facts = self._reader.recent(TO_DEVICE).since(context.user_id, after)
        if facts is None:
            return False
        if device_id is None:
            return True
        self._arrivals.got(context.user_id, device_id, after)
        mine = [(fact.number, fact.json) for fact in facts if fact.device_id in (device_id, EVERY_DEVICE)]
        self._put(context, response, device_id, mine)
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Add what waits; one query."""
        device_id, after = context.requester.device_id, context.user_after()
        if device_id is None:
            return
        if after is None:
            after = max(pack(context.user_shard, 0), self._arrivals.upto(context.user_id, device_id))
        waiting, is_left = sql.waiting_and_arrived(transaction, context.user_id, device_id, after, LIMIT + 1)
        if is_left:
            self._arrivals.sent(context.user_id, device_id, after)
        self._arrivals.got(context.user_id, device_id, after)
        self._put(context, response, device_id, waiting)

    def _put(
        self, context: SyncContext, response: SyncResponse, device_id: str, waiting: Sequence[tuple[int, str]]
    ) -> None:
        shown = waiting[:LIMIT]
        response.to_device.extend(text.encode() for _, text in shown)
        if shown:
            self._arrivals.sent(context.user_id, device_id, shown[-1][0])
        if len(waiting) > LIMIT:
            shard, now = context.user_shard, context.now
            context.now = replace(now, users=now.users.moved(shard, counter_of(shown[-1][0])))
