"""Storing and finding filters. An id is a digest of the filter, so it names the same filter for ever."""

from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from synapse_like.features.filters import sql
from synapse_like.features.filters.errors import TooManyFilters
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import NotFound
from synapse_like.matrix.filters import Filter
from synapse_like.toolkit.db import Database, Transaction

MAX_FILTERS = 1000
"""The most filters of one user."""

_ID_BYTES = 12
_KNOWN_FILTERS = 10_000


class Filters:
    """The filters that users have stored; those in use are kept, parsed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[tuple[str, str], Filter] = OrderedDict()

    async def add(self, user_id: str, json: Mapping[str, Any]) -> str:
        """Store a filter; its id, the same for the same filter.

        Raises BadJson, InvalidParam or TooLarge for what is no filter, TooManyFilters.
        """
        parsed = Filter.parse(json)
        encoded = canonical_json(json)
        filter_id = urlsafe_b64encode(sha256(encoded).digest()[:_ID_BYTES]).decode()
        if (user_id, filter_id) not in self._known:
            await self._database.write(lambda txn: _store(txn, user_id, filter_id, encoded.decode()))
            self._keep(user_id, filter_id, parsed)
        return filter_id

    async def get(self, user_id: str, filter_id: str) -> Filter:
        """A stored filter. Raises NotFound."""
        found = self._known.get((user_id, filter_id))
        if found is None:
            json = await self._database.read(lambda txn: sql.get(txn, user_id, filter_id))
            if json is None:
                raise NotFound("There is no such filter")
            found = Filter.parse(orjson.loads(json))
        self._keep(user_id, filter_id, found)
        return found

    def _keep(self, user_id: str, filter_id: str, parsed: Filter) -> None:
        self._known[user_id, filter_id] = parsed
        self._known.move_to_end((user_id, filter_id))
        if len(self._known) > _KNOWN_FILTERS:
            self._known.popitem(last=False)


def _store(transaction: Transaction, user_id: str, filter_id: str, json: str) -> None:
    if sql.count(transaction, user_id) >= MAX_FILTERS and sql.get(transaction, user_id, filter_id) is None:
        raise TooManyFilters()
    sql.add(transaction, user_id, filter_id, json)
