"""Our keys for others, and the keys of others for whoever trusts us with it.

Source: server-server API, "Publishing Keys" and "Querying Keys Through Another Server".
"""

from typing import Any, Final

import msgspec

from synapse_like.federation.keys.notary import Notary
from synapse_like.federation.keys.own import OwnKeys
from synapse_like.matrix.errors import InvalidParam
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.endpoint import Auth, Timeout, endpoint
from synapse_like.toolkit.http.request import Request

MOST_SERVERS: Final = 100
MOST_KEYS: Final = 500


class Criteria(msgspec.Struct):
    """What is asked of one key."""

    minimum_valid_until_ts: int | None = None


class KeyQuery(msgspec.Struct):
    """What is asked for: by server, then by key id."""

    server_keys: dict[str, dict[str, Criteria]]


class KeysApi:
    """The endpoints. Nobody has to prove who they are: keys are what everybody may know."""

    def __init__(self, own: OwnKeys, notary: Notary, clock: Clock) -> None:
        self._own = own
        self._notary = notary
        self._clock = clock

    @endpoint(
        "GET",
        ("/_matrix/key/v2/server", "/_matrix/key/v2/server/", "/_matrix/key/v2/server/{key_id}"),
        auth=Auth.NONE,
        resource="keys",
        pool="federation",
    )
    async def own_keys(self, request: Request[Any]) -> dict[str, Any]:
        """Our keys, all of them, whichever is asked for."""
        return dict(self._own.document(self._clock.now_ms()))

    @endpoint(
        "GET",
        ("/_matrix/key/v2/query/{server_name}", "/_matrix/key/v2/query/{server_name}/{key_id}"),
        auth=Auth.NONE,
        resource="keys",
        pool="federation",
        timeout=Timeout.SLOW,
    )
    async def keys_of_server(self, request: Request[Any]) -> dict[str, Any]:
        """The keys of another server."""
        server, key_id = request.params["server_name"], request.params.get("key_id")
        now_ms = self._clock.now_ms()
        until_ms = request.query.integer("minimum_valid_until_ts", now_ms, minimum=0)
        if not is_valid_server_name(server):
            raise InvalidParam("This is no server name")
        # An old form names a key; what is wanted by time alone is wanted of any key.
        return {"server_keys": await self._notary.documents({server: {key_id: until_ms} if key_id else {}}, until_ms)}

    @endpoint(
        "POST",
        "/_matrix/key/v2/query",
        auth=Auth.NONE,
        body=KeyQuery,
        allows_empty_body=False,
        resource="keys",
        pool="federation",
        timeout=Timeout.SLOW,
    )
    async def keys_of_servers(self, request: Request[KeyQuery]) -> dict[str, Any]:
        """The keys of many servers."""
        asked = request.body.server_keys
        if len(asked) > MOST_SERVERS or sum(len(keys) for keys in asked.values()) > MOST_KEYS:
            raise InvalidParam(f"At most {MOST_SERVERS} servers and {MOST_KEYS} keys can be asked for at once")
        if not all(is_valid_server_name(server) for server in asked):
            raise InvalidParam("server_keys holds something that is no server name")
        now_ms = self._clock.now_ms()
        wanted = {
            server: {
                key_id: now_ms if each.minimum_valid_until_ts is None else each.minimum_valid_until_ts
                for key_id, each in keys.items()
            }
            for server, keys in asked.items()
        }
        return {"server_keys": await self._notary.documents(wanted, now_ms)}
