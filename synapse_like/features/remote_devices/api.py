"""What other servers ask of the devices of users here. Source: server-server API, "Device Management", "End-to-End
Encryption".
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from synapse_like.features.device_keys import KeyQuery, Published
from synapse_like.features.one_time_keys import ONE_TIME_KEYS, OneTimeKeys
from synapse_like.matrix.errors import InvalidParam
from synapse_like.matrix.ids import parse_user_id
from synapse_like.toolkit.http.endpoint import Auth, Balance, endpoint
from synapse_like.toolkit.http.paths import federation
from synapse_like.toolkit.http.request import Request

MAX_USERS: Final = 1_000
MAX_CLAIMS: Final = 5_000


class QueryBody(msgspec.Struct):
    """The body of POST /user/keys/query."""

    device_keys: dict[str, list[str]]


class ClaimBody(msgspec.Struct):
    """The body of POST /user/keys/claim."""

    one_time_keys: dict[str, dict[str, str]]


class RemoteDevicesApi:
    """Shows the devices of users here, and gives out their one-time keys."""

    def __init__(self, query: KeyQuery, one_time_keys: OneTimeKeys, *, shows_names: bool) -> None:
        self._query = query
        self._one_time_keys = one_time_keys
        self._shows_names = shows_names

    @endpoint(
        "GET",
        federation("/user/devices/{user_id}"),
        auth=Auth.FEDERATION,
        balance=Balance.ORIGIN,
        resource="federation",
        pool="federation",
    )
    async def devices(self, request: Request[Any]) -> dict[str, Any]:
        """The list of devices of a user."""
        user_id = request.params["user_id"]
        parse_user_id(user_id)
        self._check_local([user_id])
        keys = (await self._query.published([user_id])).get(user_id)
        if keys is None:
            return {"user_id": user_id, "stream_id": 0, "devices": []}
        devices: list[dict[str, Any]] = []
        for device_id, each in keys.devices.items():
            device: dict[str, Any] = {"device_id": device_id, "keys": orjson.loads(each)}
            if self._shows_names and device_id in keys.names:
                device["device_display_name"] = keys.names[device_id]
            devices.append(device)
        cross_signing = {
            f"{usage}_key": orjson.loads(keys.cross_signing[usage])
            for usage in ("master", "self_signing")
            if usage in keys.cross_signing
        }
        return {"user_id": user_id, "stream_id": keys.version, "devices": devices, **cross_signing}

    @endpoint(
        "POST",
        federation("/user/keys/query"),
        auth=Auth.FEDERATION,
        body=QueryBody,
        balance=Balance.ORIGIN,
        resource="federation",
        pool="federation",
    )
    async def query(self, request: Request[QueryBody]) -> dict[str, Any]:
        """The keys of users."""
        wanted = request.body.device_keys
        self._check_local(wanted)
        found = await self._query.published(list(wanted))
        return {
            "device_keys": {user_id: self._devices(keys, wanted[user_id]) for user_id, keys in found.items()},
            "master_keys": _cross_signing(found, "master"),
            "self_signing_keys": _cross_signing(found, "self_signing"),
        }

    @endpoint(
        "POST",
        federation("/user/keys/claim"),
        auth=Auth.FEDERATION,
        body=ClaimBody,
        balance=Balance.ORIGIN,
        writes=(ONE_TIME_KEYS.name,),
        resource="federation",
        pool="federation",
    )
    async def claim(self, request: Request[ClaimBody]) -> dict[str, Any]:
        """A one-time key of each of these devices."""
        claims = request.body.one_time_keys
        self._check_local(claims)
        if sum(map(len, claims.values())) > MAX_CLAIMS:
            raise InvalidParam(f"At most {MAX_CLAIMS} keys may be claimed at once")
        return {"one_time_keys": await self._one_time_keys.claim_all(claims)}

    def _devices(self, keys: Published, device_ids: list[str]) -> dict[str, Any]:
        shown = {}
        for device_id in dict.fromkeys(device_ids) if device_ids else keys.devices:
            if device_id in keys.devices:
                device = orjson.loads(keys.devices[device_id])
                if self._shows_names and device_id in keys.names:
                    device["unsigned"] = {"device_display_name": keys.names[device_id]}
                shown[device_id] = device
        return shown

    def _check_local(self, user_ids: Any) -> None:
        """Raise InvalidParam unless all are users of this server, and not too many."""
        if len(user_ids) > MAX_USERS:
            raise InvalidParam(f"At most {MAX_USERS} users may be asked for at once")
        if not all(self._query.is_local(user_id) for user_id in user_ids):
            raise InvalidParam("Only users of this server can be asked for here")


def _cross_signing(found: Mapping[str, Published], usage: str) -> dict[str, Any]:
    return {
        user_id: orjson.loads(keys.cross_signing[usage])
        for user_id, keys in found.items()
        if usage in keys.cross_signing
    }
