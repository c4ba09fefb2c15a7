"""Destinations are a family of shards without logs: who owns a shard sends to its servers, and nobody else does."""

from typing import Final

from replication.streams import Family
from synapse_like.rooms.families import fresh_shard

DESTINATION: Final = Family("destination", is_log=False)


def shard_of_destination(server: str) -> int:
    """The shard of a server's name."""
    return fresh_shard(DESTINATION, server)
