"""The rate limits of homeserver.yaml (all ``rc_*`` keys), with the defaults that Synapse's administrators know.

Counting against them is ``synapse_like.toolkit.ratelimit``'s part.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from synapse_like.toolkit.config.options import is_section, option, options_of


@dataclass(frozen=True)
class RateLimit:
    """So many per second in the long run, so many at once."""

    per_second: float = option(0.17, "How many per second in the long run.")
    burst_count: int = option(3, "How many at once.")


@dataclass(frozen=True)
class LoginLimits:
    """Limits on logging in."""

    address: RateLimit = option(RateLimit(0.003, 5), "Per IP address.")
    account: RateLimit = option(RateLimit(0.003, 5), "Per account.")
    failed_attempts: RateLimit = option(RateLimit(0.17, 3), "Wrong passwords, per account.")


@dataclass(frozen=True)
class JoinLimits:
    """Limits on joining."""

    local: RateLimit = option(RateLimit(0.1, 10), "Rooms that this server is in already, per user.")
    remote: RateLimit = option(RateLimit(0.01, 10), "Rooms that other servers must be asked for, per user.")


@dataclass(frozen=True)
class InviteLimits:
    """Limits on inviting."""

    per_room: RateLimit = option(RateLimit(0.3, 10), "Per room.")
    per_user: RateLimit = option(RateLimit(0.003, 5), "Per invited user.")
    per_issuer: RateLimit = option(RateLimit(0.3, 10), "Per inviting user.")


@dataclass(frozen=True)
class FederationLimits:
    """Limits on each remote server."""

    window_size: int = option(1000, "Milliseconds over which requests are counted.")
    sleep_limit: int = option(10, "More requests than this in a window are slowed down.")
    sleep_delay: int = option(500, "Milliseconds by which they are slowed down.")
    reject_limit: int = option(50, "More waiting requests than this are refused.")
    concurrent: int = option(3, "How many are worked on at once.")


@dataclass(frozen=True)
class PresenceLimits:
    """Limits on presence."""

    per_user: RateLimit = option(RateLimit(0.1, 1), "Changes of presence, per user.")


@dataclass(frozen=True)
class RateLimits:
    """Rate limits: how often users and servers may do something. burst_count at once, then per_second."""

    rc_message: RateLimit = option(RateLimit(0.2, 10), "Sending events, per user.")
    rc_registration: RateLimit = option(RateLimit(0.17, 3), "Registering, per IP address.")
    rc_registration_token_validity: RateLimit = option(
        RateLimit(0.1, 5), "Asking about a registration token, per IP address."
    )
    rc_login: LoginLimits = option(LoginLimits(), "Logging in.")
    rc_admin_redaction: RateLimit | None = option(None, "Redactions by administrators; as rc_message if not set.")
    rc_joins: JoinLimits = option(JoinLimits(), "Joining rooms.")
    rc_joins_per_room: RateLimit = option(RateLimit(1.0, 10), "Joining one room, all users together.")
    rc_3pid_validation: RateLimit = option(RateLimit(0.003, 5), "Validating e-mail addresses and telephone numbers.")
    rc_invites: InviteLimits = option(InviteLimits(), "Inviting.")
    rc_third_party_invite: RateLimit = option(RateLimit(0.2, 10), "Inviting by e-mail address, per user.")
    rc_media_create: RateLimit = option(RateLimit(10.0, 50), "Creating media, per user.")
    rc_federation: FederationLimits = option(FederationLimits(), "Requests of other servers, per server.")
    rc_presence: PresenceLimits = option(PresenceLimits(), "Changes of presence.")
    rc_delayed_event_mgmt: RateLimit = option(RateLimit(1.0, 5), "Managing delayed events, per user.")
    rc_reports: RateLimit = option(RateLimit(1.0, 5), "Reporting users, rooms and events, per user.")
    rc_room_creation: RateLimit = option(RateLimit(0.016, 10), "Creating rooms, per user.")
    rc_user_directory: RateLimit = option(RateLimit(0.016, 200), "Searching the user directory, per user.")
    federation_rr_transactions_per_room_per_second: int = option(50, "Read receipts sent to other servers, per room.")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield the limits that are no numbers of actions. A per_second or burst_count of 0 lets nothing pass."""
        for declared in options_of(RateLimits):
            yield from _problems(getattr(self, declared.name), declared.name)


def _problems(limit: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(limit, RateLimit):
        if not (limit.per_second >= 0 and limit.burst_count >= 0):
            yield key, "per_second and burst_count cannot be negative"
    elif is_section(type(limit)):
        section: type = type(limit)
        for declared in options_of(section):
            yield from _problems(getattr(limit, declared.name), f"{key}.{declared.name}")
