"""What this server can do for a user: the sum of what features say. Source: client-server API, "Capabilities"."""

from collections.abc import Iterable
from typing import Any

from synapse_like.toolkit.feature import Capability
from synapse_like.toolkit.http.requester import Requester


class Capabilities:
    """All capabilities; the composition root adds those of every feature, and what it says in `unstable_features`."""

    def __init__(self) -> None:
        self._sources: list[Capability] = []
        self.unstable_features: dict[str, bool] = {}

    def extend(self, sources: Iterable[Capability]) -> None:
        """Add what a feature can do."""
        self._sources.extend(sources)

    def of(self, requester: Requester) -> dict[str, Any]:
        """What the server can do for this user."""
        found: dict[str, Any] = {}
        for source in self._sources:
            found |= source(requester)
        return found
