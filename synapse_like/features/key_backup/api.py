"""The endpoints of backups of keys. Source: client-server API, "Server-side key backups"."""

from typing import Any, Final

import msgspec

from synapse_like.features.key_backup.errors import NoSuchBackup
from synapse_like.features.key_backup.keys import KeyBody, RoomBody, RoomsBody, parsed, rooms_json, sessions_json
from synapse_like.features.key_backup.logic import KeyBackups
from synapse_like.features.key_backup.sql import Backup
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.http.endpoint import Balance, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.texts import checked_text

_LIMIT_BYTES: Final = 20 * 1024 * 1024
_MAX_ALGORITHM: Final = 255

_VERSION = "/room_keys/version"
_KEYS = "/room_keys/keys"
_ROOM = "/room_keys/keys/{room_id}"
_SESSION = "/room_keys/keys/{room_id}/{session_id}"


class BackupBody(msgspec.Struct):
    """What a backup says about itself."""

    algorithm: str
    auth_data: dict[str, Any]
    version: str | None = None


class BackupsApi:
    """Versions of the backup."""

    def __init__(self, backups: KeyBackups) -> None:
        self._backups = backups

    @endpoint("POST", client(_VERSION), body=BackupBody, balance=Balance.USER)
    async def create(self, request: Request[BackupBody]) -> dict[str, Any]:
        """Begin a new backup."""
        algorithm = checked_text("algorithm", request.body.algorithm, _MAX_ALGORITHM)
        version = await self._backups.create(request.requester.user_id, algorithm, request.body.auth_data)
        return {"version": str(version)}

    @endpoint("GET", client(_VERSION), balance=Balance.USER)
    async def show_newest(self, request: Request[Any]) -> dict[str, Any]:
        """The newest backup."""
        return _shown(await self._backups.get(request.requester.user_id))

    @endpoint("GET", client(_VERSION + "/{version}"), balance=Balance.USER)
    async def show(self, request: Request[Any]) -> dict[str, Any]:
        """A backup."""
        return _shown(await self._backups.get(request.requester.user_id, request.params["version"]))

    @endpoint("PUT", client(_VERSION + "/{version}"), body=BackupBody, balance=Balance.USER)
    async def change(self, request: Request[BackupBody]) -> dict[str, Any]:
        """Replace what a backup says about itself."""
        body, version = request.body, request.params["version"]
        if body.version not in (None, version):
            raise InvalidParam("version is not that of the path")
        await self._backups.change(request.requester.user_id, version, body.algorithm, body.auth_data)
        return {}

    @endpoint("DELETE", client(_VERSION + "/{version}"), balance=Balance.USER)
    async def delete(self, request: Request[Any]) -> dict[str, Any]:
        """Delete a backup."""
        await self._backups.delete(request.requester.user_id, request.params["version"])
        return {}


class BackedUpKeysApi:
    """The keys in a backup: all, of a room, or of a session."""

    def __init__(self, backups: KeyBackups) -> None:
        self._backups = backups

    @endpoint("PUT", client(_KEYS), body=RoomsBody, balance=Balance.USER, limit_bytes=_LIMIT_BYTES)
    async def put_all(self, request: Request[RoomsBody]) -> dict[str, Any]:
        """Store keys of several rooms."""
        return await self._put(request, {room_id: room.sessions for room_id, room in request.body.rooms.items()})

    @endpoint("PUT", client(_ROOM), body=RoomBody, balance=Balance.USER, limit_bytes=_LIMIT_BYTES)
    async def put_room(self, request: Request[RoomBody]) -> dict[str, Any]:
        """Store keys of a room."""
        return await self._put(request, {request.params["room_id"]: request.body.sessions})

    @endpoint("PUT", client(_SESSION), body=KeyBody, balance=Balance.USER)
    async def put_session(self, request: Request[KeyBody]) -> dict[str, Any]:
        """Store the key of a session."""
        return await self._put(request, {request.params["room_id"]: {request.params["session_id"]: request.body}})

    @endpoint("GET", client(_KEYS), balance=Balance.USER)
    async def get_all(self, request: Request[Any]) -> Reply:
        """All keys."""
        return Reply(200, rooms_json(await self._backups.keys(request.requester.user_id, _version(request), ())))

    @endpoint("GET", client(_ROOM), balance=Balance.USER)
    async def get_room(self, request: Request[Any]) -> Reply:
        """The keys of a room."""
        found = await self._backups.keys(request.requester.user_id, _version(request), _place(request))
        return Reply(200, sessions_json(found))

    @endpoint("GET", client(_SESSION), balance=Balance.USER)
    async def get_session(self, request: Request[Any]) -> Reply:
        """The key of a session."""
        found = await self._backups.keys(request.requester.user_id, _version(request), _place(request))
        if not found:
            raise NoSuchBackup("The backup has no key of this session")
        return Reply(200, found[0].as_json())

    @endpoint("DELETE", client(_KEYS), client(_ROOM), client(_SESSION), balance=Balance.USER)
    async def remove(self, request: Request[Any]) -> dict[str, Any]:
        """Delete keys."""
        return _count(await self._backups.remove(request.requester.user_id, _version(request), _place(request)))

    async def _put(self, request: Request[Any], rooms: dict[str, dict[str, KeyBody]]) -> dict[str, Any]:
        return _count(await self._backups.put(request.requester.user_id, _version(request), parsed(rooms)))


def _version(request: Request[Any]) -> str:
    return request.query.string("version")


def _place(request: Request[Any]) -> tuple[str, ...]:
    return tuple(request.params[name] for name in ("room_id", "session_id") if name in request.params)


def _count(backup: Backup) -> dict[str, Any]:
    return {"count": backup.count, "etag": str(backup.etag)}


def _shown(backup: Backup) -> dict[str, Any]:
    auth_data = msgspec.Raw(backup.auth_data.encode())
    return {"algorithm": backup.algorithm, "auth_data": auth_data, "version": str(backup.version), **_count(backup)}
