"""Aliases of other servers: the room that one points to, and servers that are in it."""

from typing import Any, Final

from synapse_like.federation.client import FederationClient
from synapse_like.federation.errors import BadReply, RemoteError
from synapse_like.matrix.errors import NotFound
from synapse_like.matrix.ids import is_valid_room_id, is_valid_server_name, parse_room_alias

_PATH: Final = "/_matrix/federation/v1/query/directory"
_MOST_SERVERS: Final = 100


class RemoteAliases:
    """Asks the server that an alias belongs to."""

    def __init__(self, client: FederationClient) -> None:
        self._client = client

    async def resolve(self, alias: str) -> tuple[str, list[str]]:
        """The room and some servers in it. Raises InvalidParam, NotFound, BadReply, what the client raises."""
        _, server = parse_room_alias(alias)
        try:
            answer = await self._client.get(server, _PATH, {"room_alias": alias})
        except RemoteError as error:
            if error.remote_status == 404:
                raise NotFound(f"There is no room alias {alias}") from error
            raise error.passed_on() from error
        room_id = answer.get("room_id") if isinstance(answer, dict) else None
        if not isinstance(room_id, str) or not is_valid_room_id(room_id) or "\0" in room_id:
            raise BadReply(f"{server} does not say which room {alias} is")
        servers: Any = answer.get("servers")
        named = (
            [s for s in servers if isinstance(s, str) and is_valid_server_name(s)] if isinstance(servers, list) else []
        )
        return room_id, list(dict.fromkeys([server, *named]))[:_MOST_SERVERS]
