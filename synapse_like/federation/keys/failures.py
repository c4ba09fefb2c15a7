"""What can be wrong with an event's hash and signatures."""

from dataclasses import dataclass
from enum import Enum

from synapse_like.matrix.events import Event


class Flaw(Enum):
    """What is wrong."""

    NO_SIGNATURE = "it is not signed by its server"
    WRONG_SIGNATURE = "a signature is wrong"
    NO_KEY = "the key of a signature cannot be found"
    EXPIRED_KEY = "a signing key was not valid at the time"
    WRONG_HASH = "its content hash is wrong"
    """Its signatures are good: it may be used, but only redacted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that is not what it should be. `reason` is for the log and for the reply to the other server."""

    event: Event
    flaw: Flaw
    reason: str
