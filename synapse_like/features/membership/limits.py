"""How often users may join and invite, and who may not at all."""

from collections.abc import Sequence

from synapse_like.features.membership.config import MembershipConfig
from synapse_like.features.membership.guests import are_welcome
from synapse_like.federation import ServerPolicy
from synapse_like.matrix.errors import Forbidden, GuestAccessForbidden, InvalidParam, Unknown
from synapse_like.matrix.ids import domain_of, is_valid_user_id
from synapse_like.rooms.live import LiveRoom
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.http import Requester
from synapse_like.toolkit.ratelimit import RateLimiter


class MembershipLimits:
    """Checks before a membership changes; each raises LimitExceeded, Forbidden, InvalidParam or Unknown."""

    def __init__(
        self,
        limiter: RateLimiter,
        limits: RateLimits,
        config: MembershipConfig,
        server_name: str,
        policy: ServerPolicy,
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._config = config
        self._server_name = server_name
        self._policy = policy

    def check_join(self, requester: Requester, room: LiveRoom) -> None:
        """A join of a room that this server is in."""
        self._limiter.check("rc_joins.local", requester.user_id, self._limits.rc_joins.local)
        self._limiter.check("rc_joins_per_room", room.identity.room_id, self._limits.rc_joins_per_room)
        if requester.is_guest and not are_welcome(room):
            raise GuestAccessForbidden("Guests may not join this room")

    def check_remote_join(self, requester: Requester) -> None:
        """A join of (or a knock at) a room that this server is not in."""
        self._limiter.check("rc_joins.remote", requester.user_id, self._limits.rc_joins.remote)

    def check_invites(self, requester: Requester, room_id: str | None, targets: Sequence[str]) -> None:
        """Invites by one user, to a room that exists or (None) to one that is being made."""
        if self._config.block_non_admin_invites and not requester.is_admin:
            raise Forbidden("Only administrators may invite on this server")
        for target in targets:
            self.check_target(target)
        if not targets:
            return
        rates = self._limits.rc_invites
        if len(targets) > rates.per_issuer.burst_count:
            raise Unknown(f"You cannot invite more than {rates.per_issuer.burst_count} users at once")
        if room_id is not None:
            self._limiter.check("rc_invites.per_room", room_id, rates.per_room, len(targets))
        self._limiter.check("rc_invites.per_issuer", requester.user_id, rates.per_issuer, len(targets))
        for target in targets:
            self._limiter.check("rc_invites.per_user", target, rates.per_user)

    def check_target(self, user_id: str) -> None:
        """Somebody whom a local user wants to invite."""
        if not is_valid_user_id(user_id) or "\0" in user_id:
            raise InvalidParam(f"{user_id!r} is not a user ID")
        if not self.is_local(user_id) and not self._policy.allows(domain_of(user_id)):
            raise Forbidden("This server does not invite users of that server")

    def is_local(self, user_id: str) -> bool:
        """Whether a user belongs to this server."""
        return user_id.endswith(":" + self._server_name)
