"""What /sync asks of features, as Protocols."""

from typing import Protocol

from synapse_like.matrix.filters import Filter


class Preferences(Protocol):
    """What a user has set that changes what /sync shows."""

    async def ignored_users(self, user_id: str) -> frozenset[str]:
        """Whom the user ignores (m.ignored_user_list)."""
        ...

    async def stored_filter(self, user_id: str, filter_id: str) -> Filter:
        """A filter that the user has stored. Raises NotFound."""
        ...


class PresenceWriter(Protocol):
    """Hears that a user's client is there."""

    async def started_syncing(self, user_id: str, device_id: str | None, presence: str) -> None:
        """A sync began; `presence` is what `set_presence` says: online or unavailable."""
        ...

    def stopped_syncing(self, user_id: str, device_id: str | None) -> None:
        """It was answered."""
        ...
