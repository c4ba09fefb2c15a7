"""What the client of other servers asks of those who use it, as Protocols."""

from typing import Protocol

from synapse_like.matrix.errors import MatrixError


class Destinations(Protocol):
    """Remembers which servers answer, so that dead ones are left alone for a while."""

    async def may_try(self, destination: str) -> bool:
        """Whether to send a request to this server now."""
        ...

    def succeeded(self, destination: str) -> None:
        """The server answered (be it with a refusal). Called for every request: must be cheap."""
        ...

    def failed(self, destination: str, error: MatrixError) -> None:
        """The server could not be reached, took too long, or is in trouble (5xx, 429)."""
        ...


class NoBackOff:
    """Destinations that are always tried."""

    async def may_try(self, destination: str) -> bool:
        """Always."""
        return True

    def succeeded(self, destination: str) -> None:
        """Nothing to remember."""

    def failed(self, destination: str, error: MatrixError) -> None:
        """Nothing to remember."""
