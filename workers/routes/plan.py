"""What every renderer starts from: the flows, where the processes are, and where the proxy itself listens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from synapse_like.toolkit.http.endpoint import Balance, Endpoint, Timeout
from workers.kinds import Kind
from workers.routes.flows import Flow, all_flows, flows_of
from workers.routes.upstreams import Address, Upstreams

ROOM_KEY: Final = r"(?:!|%21)([A-Za-z0-9_-]+)"
"""The part of a room id in a path that is the same however a client encodes it."""
USER_KEY: Final = "sl[tr]_([0-9a-f]{8})_"
"""The part of a token that all tokens of a user have in common."""
QUEUE_SECONDS: Final = 5
"""How long a request may wait for its turn at a busy process."""
RETRY_AFTER_SECONDS: Final = 1
"""When a client that was refused may come again."""
FEW, MANY = 500, 5000
"""How many requests one process is given at a time; many if they are long polls."""

OVERLOADED: Final = '{"errcode":"M_LIMIT_EXCEEDED","error":"Too busy; try again soon","retry_after_ms":1000}'
UNAVAILABLE: Final = '{"errcode":"M_UNKNOWN","error":"Not available for a moment; try again soon"}'
TOO_LARGE: Final = '{"errcode":"M_TOO_LARGE","error":"The body is too large"}'

_BY_KEY: Final = {
    Balance.NONE: "in turn",
    Balance.ROOM: "by room",
    Balance.USER: "by user",
    Balance.ORIGIN: "by the other server's name",
}


@dataclass(frozen=True, slots=True)
class Owners:
    """A file with the map of owners, and the socket at which HAProxy is told of changes."""

    path: Path
    commands: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a renderer is told."""

    flows: Sequence[Flow]
    """The flows to recognise, in order; see ``flows.flows_of``."""
    everything: Sequence[Flow]
    """All requests, also those that are treated like the rest, for people to read."""
    upstreams: Upstreams
    listen: Sequence[Address]
    """Where the proxy itself listens."""
    health: str = "/health/ready"
    """The path at which a process says whether it wants requests."""
    owners: Owners | None = None
    """Where HAProxy finds who owns which rooms, if somebody keeps that up to date; see ``owners``."""

    def kind_of(self, flow: Flow) -> Kind:
        """The kind that has processes for a flow."""
        return self.upstreams.kind_instead_of(flow.treatment.kind)

    def most_requests(self, kind: Kind) -> int:
        """How many requests one process of a kind is given at a time."""
        waits = any(flow.treatment.timeout is Timeout.LONG_POLL for flow in self.flows if self.kind_of(flow) is kind)
        return MANY if waits or kind.takes_the_rest else FEW


def make_plan(
    endpoints: Iterable[Endpoint],
    upstreams: Upstreams,
    listen: Sequence[Address],
    health: str,
    owners: Owners | None = None,
) -> Plan:
    """The plan for these endpoints."""
    listed = list(endpoints)
    return Plan(flows_of(listed), all_flows(listed), upstreams, listen, health, owners)


def described(flow: Flow) -> str:
    """A treatment in words."""
    treatment = flow.treatment
    patience = f"up to {treatment.timeout.value} s"
    again = "repeated if a connection breaks" if treatment.is_idempotent else "never repeated"
    return f"to {treatment.kind.name} {_BY_KEY[treatment.balance]}, {patience}, {again}"
