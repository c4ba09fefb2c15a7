"""The endpoints of receipts and read markers. Source: client-server API, "Receipts", "Read and unread markers"."""

from typing import Any

import msgspec

from synapse_like.features.receipts.logic import FULLY_READ, READ, READ_PRIVATE, TYPES, UNTHREADED, Receipts
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request


class ReceiptBody(msgspec.Struct):
    """What comes with a receipt."""

    thread_id: str | None = None


class MarkersBody(msgspec.Struct, rename={"fully_read": "m.fully_read", "read": "m.read", "private": "m.read.private"}):
    """Up to three markers at once; empty ones count as absent."""

    fully_read: str | None = None
    read: str | None = None
    private: str | None = None


class ReceiptsApi:
    """Marks events as read."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts

    @endpoint(
        "POST",
        client("/rooms/{room_id}/receipt/{type}/{event_id}"),
        auth=Auth.GUEST,
        body=ReceiptBody,
        balance=Balance.ROOM,
        writes=("receipts", "account_data"),
        is_idempotent=True,
    )
    async def receipt(self, request: Request[ReceiptBody]) -> dict[str, Any]:
        """One receipt."""
        kind, thread = request.params["type"], request.body.thread_id
        if kind not in TYPES:
            raise InvalidParam(f"The type of a receipt is one of {', '.join(TYPES)}")
        if thread is not None and (kind == FULLY_READ or thread == "" or len(thread) > 255):
            raise InvalidParam("thread_id must be main or the id of an event, and not with m.fully_read")
        room_id, event_id = request.params["room_id"], request.params["event_id"]
        await self._receipts.mark_read(request.requester.user_id, room_id, event_id, kind, thread or UNTHREADED)
        return {}

    @endpoint(
        "POST",
        client("/rooms/{room_id}/read_markers"),
        auth=Auth.GUEST,
        body=MarkersBody,
        balance=Balance.ROOM,
        writes=("receipts", "account_data"),
        is_idempotent=True,
    )
    async def read_markers(self, request: Request[MarkersBody]) -> dict[str, Any]:
        """Several markers."""
        body, room_id = request.body, request.params["room_id"]
        for kind, event_id in ((READ, body.read), (READ_PRIVATE, body.private), (FULLY_READ, body.fully_read)):
            if event_id:
                await self._receipts.mark_read(request.requester.user_id, room_id, event_id, kind)
        return {}
