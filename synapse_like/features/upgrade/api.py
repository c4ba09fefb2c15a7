"""POST /rooms/{roomId}/upgrade."""

from typing import Any

import msgspec

from synapse_like.features.upgrade.logic import RoomUpgrades
from synapse_like.toolkit.http import Balance, Request, client, endpoint


class UpgradeBody(msgspec.Struct):
    """POST /rooms/{roomId}/upgrade."""

    new_version: str
    additional_creators: list[str] | None = None


class UpgradeApi:
    """Replacing rooms."""

    def __init__(self, upgrades: RoomUpgrades) -> None:
        self._upgrades = upgrades

    @endpoint("POST", client("/rooms/{room_id}/upgrade"), body=UpgradeBody, writes=("events",), balance=Balance.ROOM)
    async def upgrade(self, request: Request[UpgradeBody]) -> dict[str, Any]:
        """Replace a room by one of another version."""
        body = request.body
        new_id = await self._upgrades.upgrade(
            request.requester, request.params["room_id"], body.new_version, body.additional_creators or ()
        )
        return {"replacement_room": new_id}
