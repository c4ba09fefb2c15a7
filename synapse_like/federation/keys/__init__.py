"""Keys: ours, which others verify us with, and those of other servers.

Keys are fetched from the servers themselves or from servers that are trusted with it, stored, and shared by all
processes through the database. Making and checking single signatures is `matrix.signatures`.
"""

from synapse_like.federation.keys.documents import ServerKey
from synapse_like.federation.keys.failures import Failure, Flaw
from synapse_like.federation.keys.fetching import Sources
from synapse_like.federation.keys.ring import KeyRing, keys_named_by
from synapse_like.federation.keys.store import KeyName

__all__ = ["Failure", "Flaw", "KeyName", "KeyRing", "ServerKey", "Sources", "keys_named_by"]
