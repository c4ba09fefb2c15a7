"""One request on a connection and what becomes of it."""

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from synapse_like.matrix.errors import MatrixError
from synapse_like.toolkit.http.access_log import EndpointMetrics
from synapse_like.toolkit.http.endpoint import Endpoint
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.router import Match


@dataclass(slots=True, eq=False)
class Exchange:
    """A request on its way to being answered, in the order of its connection."""

    request: Request[Any]
    match: Match | MatrixError | None
    keeps_alive: bool
    began_at: float
    """When it had arrived as a whole, in the reactor's seconds."""
    refusal: MatrixError | None = None
    """Set if the request was refused before it was whole: the reply is ready, and the input behind it is worthless."""
    answer: Deferred[Reply] | None = None
    """The handler at work, as long as it is."""

    counted: EndpointMetrics | None = None
    """What counts it, from its beginning to its end."""

    @property
    def endpoint(self) -> Endpoint | None:
        """Where it leads to, or None."""
        return self.match.route.endpoint if isinstance(self.match, Match) else None

    @property
    def is_cancellable(self) -> bool:
        """Whether the handler may be stopped half-way."""
        return self.endpoint is not None and self.endpoint.is_cancellable

    def give_up(self) -> None:
        """Stop working on it, if that is possible."""
        if self.answer is not None and self.is_cancellable:
            self.answer.cancel()
