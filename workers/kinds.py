"""The kinds of processes, as data: what each is for, which requests a proxy sends to it, which shards it owns.

A kind decides who does what first, never who may: any process answers any path that reaches it, and `main` takes what
nobody else has taken. Who serves an endpoint follows from the endpoint's declaration (:func:`kind_for`). A kind stands
here once its feature exists.
"""

from dataclasses import dataclass
from typing import Final

from replication.streams import Family
from synapse_like.federation.outbound import DESTINATION
from synapse_like.rooms.families import ROOM, USER
from synapse_like.toolkit.http.endpoint import Balance, Endpoint


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of process."""

    name: str
    """What it is called on the command line, in the registry of workers and in routing tables."""
    purpose: str
    """What it is for, in one line."""
    owns: tuple[Family, ...] = ()
    """Families whose shards its processes share; those of no living process are taken by `main`."""
    takes_the_rest: bool = False
    """True if it takes what nobody else has taken: shards, leases, and the requests of an empty pool."""
    serves_requests: bool = True
    """True if a proxy sends requests to it; it answers them anyway."""
    metrics_port: int = 9100
    """Where it tells of its health and metrics unless told otherwise."""


MAIN: Final = Kind("main", "migrates, runs the jobs, and takes what nobody else has taken", (), True, True, 9100)
EVENT_WRITER: Final = Kind(
    "event_writer", "owns rooms: sends, state, joins, receipts, typing", (ROOM,), metrics_port=9101
)
SYNC: Final = Kind("sync", "answers the long polls of /sync", metrics_port=9102)
CLIENT: Final = Kind("client", "owns users, and answers all other requests of clients", (USER,), metrics_port=9103)
FEDERATION_RECEIVER: Final = Kind("federation_receiver", "answers other servers", metrics_port=9104)
FEDERATION_SENDER: Final = Kind(
    "federation_sender", "sends to other servers, each of which one process owns", (DESTINATION,), False, False, 9105
)

KINDS: Final = (MAIN, EVENT_WRITER, SYNC, CLIENT, FEDERATION_RECEIVER, FEDERATION_SENDER)

_BY_NAME: Final = {kind.name: kind for kind in KINDS}
_OF_OTHER_SERVERS: Final = frozenset({"federation", "openid", "keys"})
"""Resources of listeners that other servers ask for."""


def kind_named(name: str) -> Kind:
    """The kind of that name. Raises KeyError if there is none."""
    return _BY_NAME[name]


def owner_of(family: Family) -> Kind:
    """The kind whose processes share the shards of a family; main if no kind is made for it."""
    return next((kind for kind in KINDS if family in kind.owns), MAIN)


def kind_for(endpoint: Endpoint) -> Kind:
    """The kind that an endpoint's requests are sent to.

    What writes in a room goes where rooms are owned, what other servers ask for to `federation_receiver`, the rest to
    the kind that the endpoint names as its pool. `client` serves what has no kind of its own.
    """
    if endpoint.resource in _OF_OTHER_SERVERS:
        return FEDERATION_RECEIVER
    if endpoint.writes and endpoint.balance is Balance.ROOM:
        return EVENT_WRITER
    return _BY_NAME.get(endpoint.pool, CLIENT)
