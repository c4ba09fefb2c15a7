"""Keys that were fetched once: in memory, and in the database, where every process finds them."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

from synapse_like.federation import sql
from synapse_like.federation.keys.documents import ServerKey
from synapse_like.matrix.signing_keys import VerifyKey
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.db.transaction import Row

KEPT: Final = 20_000

KeyName = tuple[str, str]
"""Server and key id."""


class KeyStore:
    """Keys of other servers by their names."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._memory: OrderedDict[KeyName, ServerKey] = OrderedDict()

    def peek(self, name: KeyName) -> ServerKey | None:
        """The key if it is in memory."""
        key = self._memory.get(name)
        if key is not None:
            self._memory.move_to_end(name)
        return key

    def holds(self, name: KeyName, until_ms: int) -> bool:
        """Whether the key is in memory and valid until then; an old one will not get any better."""
        key = self._memory.get(name)
        return key is not None and (key.is_old or key.is_valid_at(until_ms))

    async def load(self, names: Iterable[KeyName]) -> None:
        """Bring keys into memory with one query, those that are stored."""
        wanted = list(names)
        if wanted:
            self._keep(_key(row) for row in await self._database.read(lambda txn: sql.load_keys(txn, wanted)))

    async def all_of(self, server: str) -> list[ServerKey]:
        """Every stored key of a server, with its document."""
        return [_key(row) for row in await self._database.read(lambda txn: sql.load_documents(txn, server))]

    async def add(self, keys: Sequence[ServerKey]) -> None:
        """Store keys. Harmless if they are stored already, by this process or another."""
        best: dict[KeyName, ServerKey] = {}
        for key in keys:
            if _replaces(key, best.get(key.name)):
                best[key.name] = key
        if best:
            rows = [_row(best[name]) for name in sorted(best)]
            documents = sorted({(key.server, _id_of(key.document), key.document.decode()) for key in best.values()})
            await self._database.write(lambda txn: sql.store_keys(txn, rows, documents))
            self._keep(replace(key, document=b"") for key in best.values())

    def _keep(self, keys: Iterable[ServerKey]) -> None:
        for key in keys:
            if _replaces(key, self._memory.get(key.name)):
                self._memory[key.name] = key
                self._memory.move_to_end(key.name)
        while len(self._memory) > KEPT:
            self._memory.popitem(last=False)


def _replaces(new: ServerKey, known: ServerKey | None) -> bool:
    """Whether what is new is better than what is known: the same rule as in the database."""
    if known is None or new.is_old != known.is_old:
        return known is None or new.is_old
    return new.valid_until_ms >= known.valid_until_ms


def _row(key: ServerKey) -> Row:
    return (
        key.server,
        key.key.key_id,
        key.key.to_base64(),
        key.valid_until_ms,
        int(key.is_old),
        key.fetched_ms,
        _id_of(key.document),
    )


def _id_of(document: bytes) -> str:
    return sha256(document).hexdigest()


def _key(row: Row) -> ServerKey:
    server, key_id, text, valid_until_ms, is_old, fetched_ms, *document = row
    key = VerifyKey.from_base64(key_id, text)
    return ServerKey(server, key, valid_until_ms, bool(is_old), fetched_ms, *(text.encode() for text in document))
