"""SQL: the keys of other servers."""

from collections.abc import Iterable, Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_COLUMNS = "server_name, key_id, verify_key, valid_until_ms, is_old, fetched_ms"

_STORE = f"""
    INSERT INTO server_keys ({_COLUMNS}, document_id) VALUES :rows
    ON CONFLICT (server_name, key_id) DO UPDATE SET
        verify_key = excluded.verify_key, valid_until_ms = excluded.valid_until_ms, is_old = excluded.is_old,
        fetched_ms = excluded.fetched_ms, document_id = excluded.document_id
    WHERE excluded.is_old > server_keys.is_old
        OR (excluded.is_old = server_keys.is_old AND excluded.valid_until_ms >= server_keys.valid_until_ms)
"""

_STORE_DOCUMENTS = """
    INSERT INTO server_key_documents (server_name, document_id, document) VALUES :rows
    ON CONFLICT (server_name, document_id) DO NOTHING
"""

_FORGET_DOCUMENTS = """
    DELETE FROM server_key_documents WHERE server_name IN :servers AND NOT EXISTS (
        SELECT 1 FROM server_keys WHERE server_keys.server_name = server_key_documents.server_name
            AND server_keys.document_id = server_key_documents.document_id
    )
"""

_LOAD = f"SELECT {_COLUMNS} FROM server_keys WHERE server_name IN :servers AND key_id IN :key_ids"

_LOAD_DOCUMENTS = """
    SELECT keys.server_name, keys.key_id, keys.verify_key, keys.valid_until_ms, keys.is_old, keys.fetched_ms,
        documents.document
    FROM server_keys AS keys JOIN server_key_documents AS documents
        ON documents.server_name = keys.server_name AND documents.document_id = keys.document_id
    WHERE keys.server_name = :server
"""


def store_keys(transaction: Transaction, keys: Sequence[Row], documents: Sequence[Row]) -> None:
    """Store keys and the documents that they come from, each once, in the order of their names.

    What is stored already stays if it lasts longer. An old key is not current again.
    """
    transaction.rows(_STORE, keys)
    transaction.rows(_STORE_DOCUMENTS, documents)
    transaction.run(_FORGET_DOCUMENTS, servers=sorted({row[0] for row in documents}))


def load_keys(transaction: Transaction, names: Iterable[tuple[str, str]]) -> list[Row]:
    """Keys by server and key id (and, as it may be, by other pairs of the same names)."""
    pairs = list(names)
    servers, key_ids = sorted({server for server, _ in pairs}), sorted({key_id for _, key_id in pairs})
    return transaction.all(_LOAD, servers=servers, key_ids=key_ids)


def load_documents(transaction: Transaction, server: str) -> list[Row]:
    """All keys of a server, each with the document that it comes from."""
    return transaction.all(_LOAD_DOCUMENTS, server=server)
