"""Flows: requests that a proxy treats alike. Derived from the declarations of endpoints; nothing is typed here.

What a proxy needs to know of a request is which kind of process it goes to, by which key it is balanced, how long an
answer may take, how long its body may be, and whether it may be repeated when a connection breaks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import combinations
from typing import Final

from synapse_like.toolkit.http.endpoint import DEFAULT_LIMIT_BYTES, Balance, Endpoint, Timeout
from workers.kinds import CLIENT, Kind, kind_for
from workers.routes.patterns import can_meet, specificity, table_of

Target = tuple[str, str]
"""A method and a path template."""

REPEATED_METHODS: Final = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
"""Methods of requests that may be repeated, if nothing else is known of them."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a proxy treats a request."""

    kind: Kind
    balance: Balance
    timeout: Timeout
    limit_bytes: int
    is_idempotent: bool

    @property
    def name(self) -> str:
        """A short name, made of what is not as usual: ``event_writer_by_room_once``."""
        parts = [self.kind.name]
        if self.balance is not Balance.NONE:
            parts.append(f"by_{self.balance.value}")
        if self.timeout is not Timeout.NORMAL:
            parts.append(self.timeout.name.lower())
        if self.limit_bytes > DEFAULT_LIMIT_BYTES:
            parts.append(f"{self.limit_bytes // 2**20}m")
        if not self.is_idempotent:
            parts.append("once")
        return "_".join(parts)


@dataclass(frozen=True, slots=True)
class Flow:
    """A treatment and the requests that get it."""

    treatment: Treatment
    targets: tuple[Target, ...]

    @property
    def name(self) -> str:
        """The name of the treatment."""
        return self.treatment.name

    @property
    def expressions(self) -> dict[tuple[str, ...], list[str]]:
        """Expressions for the paths, by the methods that they hold for. GET means HEAD too."""
        templates: dict[str, list[str]] = {}
        for method, template in self.targets:
            templates.setdefault(method, []).append(template)
        return table_of(templates)


REST: Final = Treatment(CLIENT, Balance.NONE, Timeout.NORMAL, DEFAULT_LIMIT_BYTES, True)
"""How all requests are treated that no flow names; those that are no ``REPEATED_METHODS`` are not repeated."""


def treatment_of(endpoint: Endpoint) -> Treatment:
    """How an endpoint's requests are treated. A process holds finer limits of bodies itself."""
    limit_bytes = max(endpoint.limit_bytes, DEFAULT_LIMIT_BYTES)
    return Treatment(kind_for(endpoint), endpoint.balance, endpoint.timeout, limit_bytes, endpoint.is_idempotent)


def all_flows(endpoints: Iterable[Endpoint]) -> list[Flow]:
    """All requests, by treatment, those of :data:`REST` too."""
    targets: dict[Treatment, list[Target]] = {}
    for endpoint in endpoints:
        targets.setdefault(treatment_of(endpoint), []).extend((endpoint.method, path) for path in endpoint.paths)
    return [Flow(treatment, tuple(targets[treatment])) for treatment in sorted(targets, key=lambda each: each.name)]


def flows_of(endpoints: Iterable[Endpoint]) -> list[Flow]:
    """The flows that a proxy has to recognise, in an order in which the first that matches is right.

    What is treated like the rest is left out, unless another flow would catch it. Raises CycleError if no such order
    exists.
    """
    flows = all_flows(endpoints)
    special = [Flow(flow.treatment, tuple(_unlike_the_rest(flow))) for flow in flows]
    needed = [Flow(flow.treatment, tuple(_needed(flow, special))) for flow in flows]
    return _ordered([flow for flow in needed if flow.targets])


def _unlike_the_rest(flow: Flow) -> Iterator[Target]:
    for target in flow.targets:
        if not _is_like_the_rest(flow.treatment, target):
            yield target


def _needed(flow: Flow, special: Sequence[Flow]) -> Iterator[Target]:
    for target in flow.targets:
        if not _is_like_the_rest(flow.treatment, target) or _is_caught(target, special):
            yield target


def _is_like_the_rest(treatment: Treatment, target: Target) -> bool:
    return replace(treatment, is_idempotent=True) == REST and treatment.is_idempotent == (target[0] in REPEATED_METHODS)


def _is_caught(target: Target, flows: Sequence[Flow]) -> bool:
    return any(_precedes(target, other) for flow in flows for other in flow.targets)


def _precedes(one: Target, other: Target) -> bool:
    """Whether a request exists that both match, and that the router gives to the first."""
    return one[0] == other[0] and can_meet(one[1], other[1]) and specificity(one[1]) < specificity(other[1])


def _ordered(flows: Sequence[Flow]) -> list[Flow]:
    """The more specific first; those that never meet by name."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    by_name = {flow.name: flow for flow in sorted(flows, key=lambda each: each.name)}
    for name in by_name:
        sorter.add(name)
    for one, other in combinations(by_name.values(), 2):
        for first, second in ((one, other), (other, one)):
            if any(_precedes(a, b) for a in first.targets for b in second.targets):
                sorter.add(second.name, first.name)
    return [by_name[name] for name in sorter.static_order()]
