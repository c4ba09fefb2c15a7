"""The place that a snapshot has reached, as a token of /sync."""

from replication import sql
from replication.positions import Vector
from replication.reader import Reader
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.db import Transaction

_NO_PROCESS = 0
"""No process counts ephemeral facts under this number: /sync tells all of them again."""


def place_in(transaction: Transaction, reader: Reader) -> SyncToken:
    """The committed place, one query."""
    committed = sql.all_positions(transaction)
    return SyncToken(reader.incarnation, _NO_PROCESS, 0, Vector(committed["room"]), Vector(committed["user"]))
