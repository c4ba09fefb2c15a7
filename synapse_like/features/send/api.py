"""Endpoints that send events."""

from typing import Any, Final

from synapse_like.features.send.logic import Sending
from synapse_like.matrix.errors import TooLarge
from synapse_like.matrix.ids import MAX_ID_BYTES
from synapse_like.toolkit.http import Auth, Balance, Request, client, endpoint
from synapse_like.toolkit.http.endpoint import Options

_LIMIT_BYTES: Final = 256 * 1024
"""Longer bodies cannot become an event of 65,536 bytes, however they are written."""
_SENDS: Final[Options] = {
    "auth": Auth.GUEST,
    "body": dict[str, Any],
    "writes": ("events",),
    "balance": Balance.ROOM,
    "limit_bytes": _LIMIT_BYTES,
}
_STATE: Final = "/rooms/{room_id}/state/{event_type}"


class SendingApi:
    """Messages, state, redactions."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    @endpoint("PUT", client("/rooms/{room_id}/send/{event_type}/{transaction_id}"), **_SENDS)
    async def send(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Send an event that is not state."""
        room_id, event_type, transaction_id = _parts(request, "event_type", "transaction_id")
        event_id = await self._sending.send(request.requester, room_id, event_type, request.body, transaction_id)
        return {"event_id": event_id}

    @endpoint("PUT", client(_STATE), client(_STATE + "/{state_key}"), **_SENDS)
    async def set_state(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Set a part of the room's state."""
        room_id, event_type, state_key = _parts(request, "event_type", "state_key")
        event_id = await self._sending.set_state(request.requester, room_id, event_type, state_key, request.body)
        return {"event_id": event_id}

    @endpoint("PUT", client("/rooms/{room_id}/redact/{event_id}/{transaction_id}"), **_SENDS)
    @endpoint("POST", client("/rooms/{room_id}/redact/{event_id}"), **_SENDS)
    async def redact(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Redact an event. The form without transaction id is one of old clients: one redaction per event."""
        room_id, event_id, transaction_id = _parts(request, "event_id", "transaction_id")
        event_id = await self._sending.redact(
            request.requester, room_id, event_id, request.body, transaction_id or f"redact-{event_id}"
        )
        return {"event_id": event_id}


def _parts(request: Request[Any], first: str, second: str) -> tuple[str, str, str]:
    """Room and two more parameters of the path, the last one empty if it is not there. Raises TooLarge."""
    found = request.params["room_id"], request.params[first], request.params.get(second, "")
    if any(len(part.encode(errors="replace")) > MAX_ID_BYTES for part in found):
        raise TooLarge(f"A part of the path is longer than {MAX_ID_BYTES} bytes")
    return found
