"""What readers hear of devices and tokens, and the values around them."""

from dataclasses import dataclass
from typing import Any

from replication.streams import Fact


class DeviceFact(Fact):
    """A device as it is from now on, or that it is gone."""

    user_id: str
    device_id: str
    display_name: str | None = None
    is_deleted: bool = False
    changed_ms: int = 0


class RevocationFact(Fact):
    """Tokens of this user have ended: forget what is remembered of any of them."""

    user_id: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """When and where a device was seen last."""

    seen_ms: int
    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a user."""

    device_id: str
    display_name: str | None
    sighting: Sighting | None = None

    def as_json(self) -> dict[str, Any]:
        """The device as clients see it."""
        found: dict[str, Any] = {"device_id": self.device_id}
        if self.display_name is not None:
            found["display_name"] = self.display_name
        if self.sighting is not None:
            found["last_seen_ip"] = self.sighting.ip
            found["last_seen_ts"] = self.sighting.seen_ms
        return found


@dataclass(frozen=True, slots=True)
class SessionWish:
    """What a client wants of its new session. An unknown or absent device id makes a new device."""

    device_id: str | None = None
    display_name: str | None = None
    wants_refresh: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A session's tokens, in the clear: shown once, to the client."""

    user_id: str
    device_id: str
    access_token: str
    refresh_token: str | None = None
    expires_in_ms: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The tokens as clients see them."""
        found: dict[str, Any] = {"access_token": self.access_token}
        if self.refresh_token is not None:
            found["refresh_token"] = self.refresh_token
        if self.expires_in_ms is not None:
            found["expires_in_ms"] = self.expires_in_ms
        return found


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A row of the table of access tokens."""

    token_hash: str
    token_id: int
    user_id: str
    device_id: str
    created_ms: int
    valid_until_ms: int | None
    refresh_id: int | None
    replaces: int | None


@dataclass(frozen=True, slots=True)
class FoundToken:
    """An access token with what is known of its user. `shard` is None for a user who has none yet."""

    token: AccessToken
    shard: int | None
    is_guest: bool
    is_admin: bool
    is_deactivated: bool
    is_locked: bool
    is_suspended: bool


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A row of the table of refresh tokens."""

    token_hash: str
    refresh_id: int
    user_id: str
    device_id: str
    created_ms: int
    valid_until_ms: int | None
    session_until_ms: int | None
    replaces: int | None
