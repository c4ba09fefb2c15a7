"""Whether another server may ask about a room: it has a user in it, and the room's ACL lets it in."""

from dataclasses import dataclass

from synapse_like.federation.serving import sql
from synapse_like.matrix.errors import Forbidden, NotFound
from synapse_like.matrix.room_versions import RoomVersion, room_version
from synapse_like.matrix.server_acl import SERVER_ACL, lets_in
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.state_history import NOW, event_at
from synapse_like.toolkit.db import Database, Transaction


@dataclass(frozen=True, slots=True)
class ServedRoom:
    """A room that a server may ask about."""

    room_id: str
    room_nid: int
    version: RoomVersion


class ServerAccess:
    """Lets servers look into rooms."""

    def __init__(self, rooms: Rooms, database: Database) -> None:
        self._rooms = rooms
        self._database = database

    async def enter(self, server: str, room_id: str) -> ServedRoom:
        """The room, for a server that is in it. Raises NotFound (we are not in it), Forbidden."""
        hosts = await self._rooms.hosts.of(room_id)
        if self._rooms.identity.server_name not in hosts:
            raise NotFound("This server is not in that room")
        if server not in hosts:
            raise Forbidden("Your server is not in that room")
        return await self._database.read(lambda txn: self._room(txn, server, room_id))

    def _room(self, transaction: Transaction, server: str, room_id: str) -> ServedRoom:
        row = sql.room(transaction, room_id)
        if row is None:
            raise NotFound("This server is not in that room")
        acl = event_at(transaction, row[0], NOW, SERVER_ACL)
        if not lets_in(acl.event if acl is not None else None, server):
            raise Forbidden("The room's ACL does not let your server in")
        return ServedRoom(room_id, row[0], room_version(row[1]))
