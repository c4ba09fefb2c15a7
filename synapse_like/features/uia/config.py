"""The keys of user-interactive authentication."""

from dataclasses import dataclass

from synapse_like.toolkit.config import Duration, option


@dataclass(frozen=True)
class UiAuth:
    """Proving who one is before something important."""

    session_timeout: Duration = option(
        Duration(0), "For so long after logging in or proving who one is, no new proof is asked for; 0 asks always."
    )


@dataclass(frozen=True)
class UiaConfig:
    """User-interactive authentication."""

    ui_auth: UiAuth = option(UiAuth(), "Proving who one is before something important.")
