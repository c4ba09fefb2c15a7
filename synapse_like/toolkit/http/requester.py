"""Who is calling: the value that authentication puts into a request. How it is found out is in ``authentication``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Requester:
    """The user, and the device and token, on whose behalf a request is made."""

    user_id: str
    device_id: str | None = None
    is_guest: bool = False
    is_admin: bool = False
    token_id: int | None = None
    """Number of the access token in the database; None for tokens that are not ours (appservices)."""
    shard: int = 0
    """Shard of the user family that the user lives in."""
    is_locked: bool = False
    is_suspended: bool = False
    appservice_id: str | None = None
    """The appservice that acts as this user, if one does."""
