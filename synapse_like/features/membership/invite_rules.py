"""Whether an invite that comes from another server is taken for a local user."""

from synapse_like.features.accounts import Accounts
from synapse_like.features.membership.config import MembershipConfig
from synapse_like.matrix.errors import Forbidden, NotFound


class InviteRules:
    """The rules, for `federation.admission.Invitations`."""

    def __init__(self, accounts: Accounts, config: MembershipConfig) -> None:
        self._accounts = accounts
        self._config = config

    async def check(self, sender: str, target: str, room_id: str) -> None:
        """Raise Forbidden or NotFound if the invite is not taken."""
        if self._config.block_non_admin_invites:
            raise Forbidden("Only administrators of this server may invite its users")
        if not await self._accounts.exists(target) or await self._accounts.is_deactivated(target):
            raise NotFound("There is no such user")
