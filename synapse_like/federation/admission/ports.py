"""What admission asks of features, as Protocols. Features put themselves in at the front door."""

from typing import Any, Protocol

from synapse_like.rooms.live import LiveRoom


class Shown(Protocol):
    """Picks what is shown of a room to those who are not in it."""

    def __call__(self, room: LiveRoom, inviter: str | None = None, /) -> list[dict[str, Any]]:
        """The stripped state."""
        ...


class InviteGate(Protocol):
    """Asked before an invite of another server is taken for a local user."""

    async def __call__(self, sender: str, target: str, room_id: str, /) -> None:
        """Raise a MatrixError to refuse."""
        ...


def nothing(room: LiveRoom, inviter: str | None = None) -> list[dict[str, Any]]:
    """Nothing is shown."""
    return []


async def everybody(sender: str, target: str, room_id: str) -> None:
    """Every invite is taken."""
