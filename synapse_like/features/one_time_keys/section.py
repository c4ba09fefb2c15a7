"""`device_one_time_keys_count` and `device_unused_fallback_key_types` in /sync: in every response to a device."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Final

import orjson

from replication.reader import Reader
from synapse_like.features.one_time_keys import sql
from synapse_like.features.one_time_keys.facts import OneTimeKeysFact, Stock
from synapse_like.features.one_time_keys.sql import Device
from synapse_like.features.one_time_keys.stream import ONE_TIME_KEYS
from synapse_like.features.sessions import DEVICES, DeviceFact
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.gathered import Gathered
from synapse_like.toolkit.http.requester import Requester

_KNOWN: Final = 50_000
_NOTHING: Final = Stock(0, {}, ())
_SIGNED: Final = "signed_curve25519"


class OneTimeKeysSection:
    """What a device has left. A change is worth a response of its own.

    What devices have is remembered: facts and snapshots bring it, and the newer number counts. The lock is there
    because snapshots are read in other threads. After a restart it is asked for, of many devices at once.
    """

    name = "one_time_keys"
    is_ephemeral = False

    def __init__(self, reader: Reader, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[Device, Stock] = OrderedDict()
        self._stored = Gathered(self._load)
        self._lock = Lock()
        reader.subscribe(ONE_TIME_KEYS, self._take)
        reader.subscribe(DEVICES, self._drop_ended)

    def knows(self, requester: Requester) -> bool:
        """Whether what the device has is in memory."""
        return requester.device_id is None or (requester.user_id, requester.device_id) in self._known

    async def learn(self, requester: Requester) -> None:
        """Bring what the device has into memory."""
        if requester.device_id is not None:
            await self._stored.get((requester.user_id, requester.device_id))

    def nothing_new(self, requester: Requester, since: SyncToken) -> Mapping[str, bytes] | None:
        """What is known of the device; None if nothing is."""
        if requester.device_id is None:
            return {}
        stock = self._known.get((requester.user_id, requester.device_id))
        return None if stock is None else _shown(stock)

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add what is known of the device; False if nothing is."""
        device_id = context.requester.device_id
        if device_id is None:
            return True
        stock = self._known.get((context.user_id, device_id))
        if stock is None:
            return False
        _put(context, response, stock)
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Add what is stored; one query."""
        device_id = context.requester.device_id
        if device_id is None:
            return
        device = (context.user_id, device_id)
        stock = sql.stocks(transaction, [device]).get(device, _NOTHING)
        self._keep(device, stock)
        _put(context, response, stock)

    async def _load(self, devices: Sequence[Device]) -> Mapping[Device, Stock]:
        found = await self._database.read(lambda txn: sql.stocks(txn, devices))
        for device in devices:
            self._keep(device, found.get(device, _NOTHING))
        return found

    def _take(self, facts: Sequence[OneTimeKeysFact]) -> None:
        for fact in facts:
            self._keep((fact.user_id, fact.device_id), Stock(fact.number, fact.counts, fact.unused))

    def _drop_ended(self, facts: Sequence[DeviceFact]) -> None:
        with self._lock:
            for fact in facts:
                if fact.is_deleted:
                    self._known.pop((fact.user_id, fact.device_id), None)

    def _keep(self, device: Device, stock: Stock) -> None:
        with self._lock:
            known = self._known.get(device)
            if known is None or known.number <= stock.number:
                self._known[device] = stock
                self._known.move_to_end(device)
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)


def _shown(stock: Stock) -> dict[str, bytes]:
    """Clients count on the algorithm that everybody uses being named, even at zero."""
    return {
        "device_one_time_keys_count": orjson.dumps({_SIGNED: 0, **stock.counts}),
        "device_unused_fallback_key_types": orjson.dumps(stock.unused),
    }


def _put(context: SyncContext, response: SyncResponse, stock: Stock) -> None:
    response.extras.update(_shown(stock))
    after = context.user_after()
    if after is not None and stock.number > after:
        response.is_worth_telling = True
