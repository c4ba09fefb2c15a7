"""The published rooms of other servers, asked for by users here."""

from collections.abc import Mapping
from typing import Any, Final

from synapse_like.federation.client import FederationClient
from synapse_like.federation.errors import BadReply, RemoteError
from synapse_like.matrix.errors import InvalidParam
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.toolkit.shared import SharedWork

MOST_ENTRIES: Final = 1_000
_PATH: Final = "/_matrix/federation/v1/publicRooms"
_TIMEOUT_S: Final = 20.0


class RemotePublicRooms:
    """Asks other servers for pages of their directories; the same question at the same time is asked once."""

    def __init__(self, client: FederationClient) -> None:
        self._client = client
        self._asking: SharedWork[str, dict[str, Any]] = SharedWork()

    async def page(self, server: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A page; `asked` is the body of POST /publicRooms. Raises InvalidParam, and what other servers raise."""
        if not is_valid_server_name(server):
            raise InvalidParam("server is no name of a server")
        return await self._asking.run(repr((server, asked)), lambda: self._ask(server, asked))

    async def _ask(self, server: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            if "filter" in asked:
                answer = await self._client.post(server, _PATH, dict(asked), timeout_s=_TIMEOUT_S)
            else:
                query = {name: str(value) for name, value in asked.items()}
                answer = await self._client.get(server, _PATH, query, timeout_s=_TIMEOUT_S)
        except RemoteError as error:
            raise error.passed_on() from error
        return _page(server, answer)


def _page(server: str, answer: Any) -> dict[str, Any]:
    """What of an answer may be shown."""
    chunk = answer.get("chunk") if isinstance(answer, dict) else None
    if not isinstance(chunk, list):
        raise BadReply(f"{server} answered with something that is no list of rooms")
    page: dict[str, Any] = {"chunk": [room for room in chunk[:MOST_ENTRIES] if _is_room(room)]}
    for name in ("next_batch", "prev_batch"):
        if isinstance(answer.get(name), str):
            page[name] = answer[name]
    total = answer.get("total_room_count_estimate")
    if isinstance(total, int) and not isinstance(total, bool):
        page["total_room_count_estimate"] = total
    return page


def _is_room(room: Any) -> bool:
    if not isinstance(room, dict) or not isinstance(room.get("room_id"), str):
        return False
    texts = ("name", "topic", "canonical_alias", "avatar_url", "join_rule", "room_type")
    has_good_texts = all(isinstance(room.get(name), str | None) for name in texts)
    return has_good_texts and isinstance(room.get("num_joined_members"), int)
