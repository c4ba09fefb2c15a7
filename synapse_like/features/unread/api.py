"""The endpoint of the list of notifications."""

from typing import Any

import msgspec

from synapse_like.features.unread.notifications import Notification, Notifications, Place
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http import Balance, Request, client, endpoint

_USUAL, _MOST = 30, 500


class NotificationsApi:
    """What notified a user."""

    def __init__(self, notifications: Notifications, clock: Clock) -> None:
        self._notifications = notifications
        self._clock = clock

    @endpoint("GET", client("/notifications"), balance=Balance.USER)
    async def get_notifications(self, request: Request) -> dict[str, Any]:
        """A page of the list, newest first."""
        query = request.query
        limit = query.integer("limit", _USUAL, minimum=1, maximum=_MOST)
        found, has_more = await self._notifications.page(
            request.requester.user_id,
            _place(query.get("from")),
            limit,
            only_highlights=query.get("only") == "highlight",
        )
        now_ms = self._clock.now_ms()
        answer: dict[str, Any] = {"notifications": [_shown(notification, now_ms) for notification in found]}
        if has_more:
            answer["next_token"] = "{}_{}".format(*found[-1].place)
        return answer


def _place(token: str | None) -> Place | None:
    if not token:
        return None
    time, _, number = token.partition("_")
    if not (time.isascii() and time.isdigit() and number.isascii() and number.isdigit() and len(token) <= 40):
        raise InvalidParam("'from' is not a token of this list")
    return int(time), int(number)


def _shown(notification: Notification, now_ms: int) -> dict[str, Any]:
    return {
        "actions": list(notification.actions),
        "event": msgspec.Raw(notification.event.render(now_ms, has_room_id=True)),
        "read": notification.is_read,
        "room_id": notification.room_id,
        "ts": notification.event.received_ms,
    }
