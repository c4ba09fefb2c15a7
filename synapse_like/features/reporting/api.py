"""Endpoints of reports."""

from typing import Annotated, Any

import msgspec

from synapse_like.features.reporting.logic import Reports
from synapse_like.toolkit.http import Balance, Request, client, endpoint


class EventReportBody(msgspec.Struct):
    """A report of an event; `score` runs from -100 (most offensive) to 0."""

    reason: str | None = None
    score: Annotated[int, msgspec.Meta(ge=-100, le=0)] | None = None


class ReportBody(msgspec.Struct):
    """A report of a room or user."""

    reason: str


class ReportingApi:
    """Reports."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    @endpoint("POST", client("/rooms/{room_id}/report/{event_id}"), body=EventReportBody, balance=Balance.ROOM)
    async def report_event(self, request: Request[EventReportBody]) -> dict[str, Any]:
        """Report an event."""
        room_id, event_id = request.params["room_id"], request.params["event_id"]
        body = request.body
        await self._reports.report_event(request.requester, room_id, event_id, body.reason, body.score)
        return {}

    @endpoint(
        "POST",
        client("/rooms/{room_id}/report", also_r0=False, unstable="org.matrix.msc4151"),
        body=ReportBody,
        balance=Balance.ROOM,
    )
    async def report_room(self, request: Request[ReportBody]) -> dict[str, Any]:
        """Report a room."""
        await self._reports.report_room(request.requester, request.params["room_id"], request.body.reason)
        return {}

    @endpoint("POST", client("/users/{user_id}/report", also_r0=False, unstable="org.matrix.msc4260"), body=ReportBody)
    async def report_user(self, request: Request[ReportBody]) -> dict[str, Any]:
        """Report a user."""
        await self._reports.report_user(request.requester, request.params["user_id"], request.body.reason)
        return {}
