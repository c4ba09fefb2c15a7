"""Telling other servers of changed devices and cross-signing keys, and hearing of theirs.

m.device_list_update and m.signing_key_update. The numbers of the facts in a user's log are the `stream_id`s; each names
the one before it in `prev_id`. Who is told of one that does not follow on what it knows fetches the whole list.
Source: server-server API, "Device Management", "End-to-End Encryption".
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from synapse_like.features.device_keys import KeyQuery
from synapse_like.features.device_lists import DEVICE_LISTS, DeviceListFact, versions
from synapse_like.features.remote_devices.cache import RemoteDeviceCache
from synapse_like.features.remote_devices.documents import cross_signing_key, update_in
from synapse_like.federation.edu_fields import user_of
from synapse_like.federation.edus import EduReceiver, EduSource, Piece
from synapse_like.rooms.facts import EVENTS, EventFact, Kind
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.db import Transaction

DEVICE_LIST: Final = "m.device_list_update"
SIGNING_KEY: Final = "m.signing_key_update"
_UNKNOWN: Final = [0]
"""A `prev_id` that nobody has seen: the list is to be fetched."""


class OwnDevices:
    """What other servers are told of users here."""

    def __init__(self, rooms: Rooms, query: KeyQuery, *, shows_names: bool) -> None:
        self._rooms = rooms
        self._query = query
        self._shows_names = shows_names
        self._server_name = rooms.identity.server_name

    def sources(self) -> list[EduSource]:
        """The plugs."""
        return [
            EduSource(DEVICE_LIST, DEVICE_LISTS, self.devices, rooms=_rooms, missed=self.missed),
            EduSource(SIGNING_KEY, DEVICE_LISTS, self.signing_keys, rooms=_rooms),
            EduSource(DEVICE_LIST, EVENTS, self.joins, concerns=self._is_join),
        ]

    async def devices(self, facts: Sequence[DeviceListFact]) -> list[Piece]:
        """Changed devices."""
        ours = [fact for fact in facts if fact.device_id and server_of(fact.user_id) == self._server_name]
        published = await self._query.published(list({fact.user_id for fact in ours})) if ours else {}
        found = []
        for fact in ours:
            content: dict[str, Any] = {
                "user_id": fact.user_id,
                "device_id": fact.device_id,
                "stream_id": fact.number,
                "prev_id": [fact.previous] if fact.previous else _UNKNOWN,
            }
            keys = published.get(fact.user_id)
            if fact.is_deleted:
                content["deleted"] = True
            elif keys is not None and fact.device_id in keys.devices:
                content["keys"] = orjson.loads(keys.devices[fact.device_id])
                if self._shows_names and fact.device_id in keys.names:
                    content["device_display_name"] = keys.names[fact.device_id]
            found.append(Piece((fact.user_id, fact.number), content, rooms=fact.rooms, number=fact.number))
        return found

    async def signing_keys(self, facts: Sequence[DeviceListFact]) -> list[Piece]:
        """Changed cross-signing keys."""
        ours = [fact for fact in facts if not fact.device_id and server_of(fact.user_id) == self._server_name]
        published = await self._query.published(list({fact.user_id for fact in ours})) if ours else {}
        found = []
        for fact in ours:
            keys = published.get(fact.user_id)
            content: dict[str, Any] = {"user_id": fact.user_id}
            for usage in ("master", "self_signing"):
                if keys is not None and usage in keys.cross_signing:
                    content[f"{usage}_key"] = orjson.loads(keys.cross_signing[usage])
            if len(content) > 1:
                found.append(Piece(fact.user_id, content, rooms=fact.rooms))
        return found

    async def joins(self, facts: Sequence[EventFact]) -> list[Piece]:
        """Users here have joined rooms: the servers there that have not been told of their devices so far."""
        return [piece for fact in facts for piece in await self._introduction(fact.event.sender, fact.room_id)]

    def _is_join(self, fact: EventFact) -> bool:
        """Whether a user here has joined the room, and was not in it before."""
        if not fact.members or fact.kind is not Kind.LIVE or fact.event.membership != "join":
            return False
        is_new = any(change.member is not None and change.member.before != "join" for change in fact.trunk)
        return is_new and server_of(fact.event.sender) == self._server_name

    def missed(self, transaction: Transaction, user_ids: Sequence[str], is_known: Callable[[int], bool]) -> list[Piece]:
        """One update for each user whose list has changed: it makes the other server fetch the list."""
        return [
            Piece((user_id, number), _fetch_me(user_id, number), number=number)
            for user_id, number in versions(transaction, user_ids).items()
            if not is_known(number)
        ]

    async def _introduction(self, user_id: str, room_id: str) -> list[Piece]:
        servers = set(await self._rooms.hosts.of(room_id)) - {self._server_name}
        for other in await self._rooms.memberships.joined_rooms(user_id) if servers else ():
            if other != room_id:
                servers -= (await self._rooms.hosts.of(other)).keys()
            if not servers:
                return []
        published = (await self._query.published([user_id])).get(user_id) if servers else None
        if published is None:
            return []
        content = _fetch_me(user_id, published.version)
        return [Piece((user_id, published.version), content, servers=sorted(servers))]


def _rooms(fact: DeviceListFact) -> Sequence[str]:
    return fact.rooms


def receivers(cache: RemoteDeviceCache) -> list[EduReceiver]:
    """The plugs for what other servers tell."""

    async def devices(origin: str, content: dict[str, Any]) -> None:
        user_id = user_of(origin, content.get("user_id"))
        await cache.update(user_id, update_in(user_id, content))

    async def signing_keys(origin: str, content: dict[str, Any]) -> None:
        user_id = user_of(origin, content.get("user_id"))
        master = cross_signing_key(user_id, content.get("master_key"))
        self_signing = cross_signing_key(user_id, content.get("self_signing_key"))
        if master or self_signing:
            await cache.sign(user_id, master, self_signing)

    return [
        EduReceiver(DEVICE_LIST, devices),
        EduReceiver(SIGNING_KEY, signing_keys),
        EduReceiver("org.matrix.signing_key_update", signing_keys),
    ]


def _fetch_me(user_id: str, number: int) -> dict[str, Any]:
    return {"user_id": user_id, "device_id": "", "stream_id": number, "prev_id": _UNKNOWN}
