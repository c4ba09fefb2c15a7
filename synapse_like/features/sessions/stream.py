"""The streams of devices and of revoked tokens."""

from replication.streams import Storage, Stream
from synapse_like.features.sessions import sql
from synapse_like.features.sessions.facts import DeviceFact, RevocationFact
from synapse_like.rooms.families import USER

DEVICES: Stream[DeviceFact] = Stream("devices", USER, DeviceFact, key="user_id")
TOKENS: Stream[RevocationFact] = Stream("tokens", USER, RevocationFact, key="user_id")

STORAGES = (
    Storage(DEVICES, sql.store_devices, sql.load_devices),
    Storage(TOKENS, sql.store_revocations, sql.load_revocations),
)
