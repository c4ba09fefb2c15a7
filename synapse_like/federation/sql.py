"""SQL: the keys of other servers."""

from collections.abc import Iterable, Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_COLUMNS = "server_name, key_id, verify_key, valid_until_ms, is_old, fetched_ms, document"

_STORE = f"""
    INSERT INTO server_keys ({_COLUMNS}) VALUES :rows
    ON CONFLICT (server_name, key_id) DO UPDATE SET
        verify_key = excluded.verify_key, valid_until_ms = excluded.valid_until_ms, is_old = excluded.is_old,
        fetched_ms = excluded.fetched_ms, document = excluded.document
    WHERE excluded.is_old > server_keys.is_old
        OR (excluded.is_old = server_keys.is_old AND excluded.valid_until_ms >= server_keys.valid_until_ms)
"""

_LOAD = f"SELECT {_COLUMNS} FROM server_keys WHERE server_name IN :servers AND key_id IN :key_ids"

_LOAD_ALL = f"SELECT {_COLUMNS} FROM server_keys WHERE server_name = :server"


def store_keys(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Store keys, each once; what is stored already stays if it lasts longer. An old key is not current again."""
    transaction.rows(_STORE, rows)


def load_keys(transaction: Transaction, names: Iterable[tuple[str, str]]) -> list[Row]:
    """Keys by server and key id (and, as it may be, by other pairs of the same names)."""
    pairs = list(names)
    servers, key_ids = sorted({server for server, _ in pairs}), sorted({key_id for _, key_id in pairs})
    return transaction.all(_LOAD, servers=servers, key_ids=key_ids)


def load_keys_of(transaction: Transaction, server: str) -> list[Row]:
    """All keys of a server."""
    return transaction.all(_LOAD_ALL, server=server)
