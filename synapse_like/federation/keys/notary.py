"""Answering for other servers: their key documents, fetched if need be, with our signature beside theirs."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from synapse_like.federation.keys.documents import ServerKey
from synapse_like.federation.keys.fetching import KeyFetcher, Sources
from synapse_like.federation.keys.own import OwnKeys
from synapse_like.federation.keys.store import KeyStore
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.together import together

MOST_DOCUMENTS: Final = 5
"""Of one server: the newest documents that hold what is asked for."""

ANY_KEY: Final = "ed25519:"
"""Stands for a key that no server has, where no key in particular is asked for."""


class Notary:
    """Tells the keys of other servers."""

    def __init__(self, own: OwnKeys, store: KeyStore, fetcher: KeyFetcher, clock: Clock) -> None:
        self._own = own
        self._store = store
        self._fetcher = fetcher
        self._clock = clock

    async def documents(self, wanted: Mapping[str, Mapping[str, int]], until_ms: int) -> list[dict[str, Any]]:
        """Return documents with the keys of servers; `wanted` says until when each key is to be valid, by key id.

        No key ids mean all keys of the server, of which one is to be valid until `until_ms`. A server that cannot be
        reached is answered for from what is stored; one that nothing is known of is left out.
        """
        found = await together([self._documents_of(*each, until_ms) for each in wanted.items()])
        return [document for documents in found for document in documents]

    async def _documents_of(self, server: str, wanted: Mapping[str, int], until_ms: int) -> list[dict[str, Any]]:
        if server == self._own.server_name:
            return [dict(self._own.document(self._clock.now_ms()))]
        keys = await self._store.all_of(server)
        needed = wanted or {ANY_KEY: until_ms}
        if any(not _is_known(keys, key_id, until_ms) for key_id, until_ms in needed.items()):
            await self._fetcher.fetch({server: needed}, Sources.SERVER_ONLY)
            keys = await self._store.all_of(server)
        return [self._own.countersigned(orjson.loads(text)) for text in _documents_with(keys, wanted)]


def _is_known(keys: list[ServerKey], key_id: str, until_ms: int) -> bool:
    """Whether a key that is asked for (or any, for `ANY_KEY`) is known and good enough."""
    return any(
        key_id in (key.key.key_id, ANY_KEY) and ((key.is_old and key_id != ANY_KEY) or key.is_valid_at(until_ms))
        for key in keys
    )


def _documents_with(keys: list[ServerKey], wanted: Mapping[str, int]) -> list[bytes]:
    """Return the documents that hold the keys that are asked for, the newest first."""
    newest = sorted(keys, key=lambda key: key.fetched_ms, reverse=True)
    documents = dict.fromkeys(key.document for key in newest if not wanted or key.key.key_id in wanted)
    return list(documents)[:MOST_DOCUMENTS]
