"""What a push rule may ask besides the event: about the room at the event, and about the member it is asked for.

Here: two small values that callers fill in. Not here: where they get them from.
"""

from collections.abc import Callable
from dataclasses import dataclass


def usual_notification_level(kind: str) -> int:
    """Return the power that any kind of notification takes if `m.room.power_levels` does not say (its event schema)."""
    return 50


@dataclass(frozen=True, slots=True)
class RoomContext:
    """The room when the event was sent: the same for all members.

    `member_count` counts joined members, remote ones too. `sender_power` is the sender's power level (infinite for the
    creators of a version 12 room). `notification_level` tells the power that a kind of notification takes, as
    `PowerLevels.notifications` does.
    """

    member_count: int
    sender_power: float = 0
    notification_level: Callable[[str], float] = usual_notification_level

    def sender_may_notify(self, kind: str) -> bool:
        """Whether the sender has the power for a kind of notification, such as `room`."""
        return self.sender_power >= self.notification_level(kind)


@dataclass(frozen=True, slots=True)
class PushMember:
    """The member whose rules are evaluated, with the display name that the member has in the room."""

    user_id: str
    display_name: str | None = None
