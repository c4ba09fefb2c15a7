"""Which errors are outages: nobody's fault, over by themselves, and worth a line in the log but no traceback."""

from typing import Final

from replication.batch import Dropped
from replication.shards import FenceBroken, NotOwned
from synapse_like.toolkit.db import CommitUnknown, DatabaseUnavailable

OUTAGES: Final = (DatabaseUnavailable, CommitUnknown, Dropped, FenceBroken, NotOwned)
"""The database is away, or this process does not own what it needs (any more)."""


def is_outage(error: BaseException) -> bool:
    """Return whether an error passes by itself."""
    return isinstance(error, OUTAGES)
