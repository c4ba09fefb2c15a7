"""Calls between processes: persistent TCP connections, many calls at once, deadlines, cancellation, back pressure.

* `wire`      the messages, and their version
* `errors`    what can become of a call
* `channel`   one connection: proof of the shared secret, calls in both directions, notes
* `peers`     connections to other processes by their registration, made when first needed
* `door`      listening for others
"""

from replication.calls.channel import Answer, Channel, Incoming, Station
from replication.calls.door import Door
from replication.calls.errors import CallFailed, CallTimedOut, Overloaded, Unreachable
from replication.calls.peers import Peers

__all__ = [
    "Answer",
    "CallFailed",
    "CallTimedOut",
    "Channel",
    "Door",
    "Incoming",
    "Overloaded",
    "Peers",
    "Station",
    "Unreachable",
]
