"""How long sessions and tokens live."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from synapse_like.toolkit.config import Duration, option

DEFAULT_REFRESHABLE: Final = Duration(5 * 60 * 1000)


@dataclass(frozen=True)
class SessionsConfig:
    """Sessions: how long a login lasts."""

    session_lifetime: Duration | None = option(None, "How long a login lasts in all; for ever if not set.")
    refreshable_access_token_lifetime: Duration | None = option(
        None,
        "Lifetime of access tokens of clients that refresh them: 5m, or none are given if session_lifetime is set.",
    )
    refresh_token_lifetime: Duration | None = option(None, "Lifetime of an unused refresh token; for ever if not set.")
    nonrefreshable_access_token_lifetime: Duration | None = option(
        None, "Lifetime of access tokens of clients that do not refresh them; for ever if not set."
    )

    @property
    def refreshable(self) -> Duration | None:
        """Lifetime of access tokens that can be refreshed; None if no refresh tokens are given out."""
        if self.refreshable_access_token_lifetime is None and self.session_lifetime is None:
            return DEFAULT_REFRESHABLE
        return self.refreshable_access_token_lifetime

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        keys = ("session_lifetime", "refreshable_access_token_lifetime", "refresh_token_lifetime")
        for key in (*keys, "nonrefreshable_access_token_lifetime"):
            lifetime: Duration | None = getattr(self, key)
            if lifetime is not None and lifetime.ms <= 0:
                yield key, "must be longer than nothing"
            elif lifetime and self.session_lifetime and lifetime > self.session_lifetime:
                yield key, f"cannot be longer than session_lifetime ({self.session_lifetime})"
