"""Presence's part of homeserver.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from synapse_like.toolkit.config import Duration, option


@dataclass(frozen=True)
class PresenceRules:
    """Whether users see who is online, and how long what lasts."""

    enabled: Literal[True, False, "untracked"] = option(
        True, "Whether presence is tracked and shown. untracked is the same as false here."
    )
    include_offline_users_on_sync: bool = option(False, "Whether a first /sync also tells of those who are offline.")
    last_active_granularity: Duration = option(
        Duration(60_000), "For how long after doing something a user is currently active."
    )
    sync_online_timeout: Duration = option(
        Duration(30_000), "How long after the end of the last /sync a user is offline."
    )
    idle_timeout: Duration = option(
        Duration(300_000), "How long after doing something a user who is online becomes unavailable."
    )


@dataclass(frozen=True)
class PresenceConfig:
    """Who is online."""

    presence: PresenceRules = option(PresenceRules(), "Whether and how users see who is online.")
    exclude_rooms_from_presence: tuple[str, ...] = option(
        (), "Ids of rooms whose members do not see each other's presence for being in them."
    )

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield lengths of time within which nobody could be seen online."""
        for name in ("last_active_granularity", "sync_online_timeout", "idle_timeout"):
            if getattr(self.presence, name).ms <= 0:
                yield f"presence.{name}", "must be longer than nothing"
