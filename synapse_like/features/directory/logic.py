"""Room aliases: making, finding and removing them. Which rooms are listed is in `public_rooms`."""

from collections.abc import Sequence

from synapse_like.features.directory import sql
from synapse_like.features.directory.config import DirectoryConfig
from synapse_like.features.directory.errors import AliasTaken
from synapse_like.features.directory.rules import Rules
from synapse_like.federation.joining import RemoteAliases
from synapse_like.matrix.errors import AuthError, Forbidden, InvalidParam, NotFound, RoomInUse
from synapse_like.matrix.ids import is_valid_room_id, parse_room_alias
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.live import LiveRoom
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http import Requester

CANONICAL_ALIAS = "m.room.canonical_alias"
MOST_SERVERS = 50
"""How many servers are named for a room."""
RESERVATION_MS = 10 * 60 * 1000
"""How long an alias stays reserved for a room whose creation came to nothing."""


class Directory:
    """The aliases of this server."""

    def __init__(
        self,
        rooms: Rooms,
        database: Database,
        clock: Clock,
        rules: Rules,
        config: DirectoryConfig,
        remote: RemoteAliases,
    ) -> None:
        self._rooms = rooms
        self._remote = remote
        self._database = database
        self._clock = clock
        self._rules = rules
        self._config = config

    async def resolve(self, alias: str) -> str:
        """The room that an alias points to. Raises InvalidParam, NotFound."""
        parse_room_alias(alias)
        found = await self._database.read(lambda txn: sql.resolve(txn, alias))
        if found is None:
            raise NotFound(f"There is no room alias {alias}")
        return found[0]

    async def find(self, alias: str) -> tuple[str, list[str]]:
        """The room that an alias of any server points to, and servers that are in it.

        Raises InvalidParam, NotFound, and what asking another server raises.
        """
        _, server = parse_room_alias(alias)
        own = self._rooms.identity.server_name
        if server != own:
            return await self._remote.resolve(alias)
        room_id = await self.resolve(alias)
        hosts = await self._rooms.hosts.of(room_id)
        return room_id, [own, *sorted(host for host in hosts if host != own)][:MOST_SERVERS]

    async def room_of(self, room_id_or_alias: str) -> tuple[str, list[str]]:
        """The room that is meant by an id or an alias, and servers that are in it. Raises as `find` does."""
        if room_id_or_alias.startswith("#"):
            return await self.find(room_id_or_alias)
        if is_valid_room_id(room_id_or_alias) and "\0" not in room_id_or_alias:
            return room_id_or_alias, []
        raise InvalidParam(f"{room_id_or_alias!r} is neither a room ID nor a room alias")

    async def aliases_of(self, room_id: str) -> list[str]:
        """The aliases of a room, oldest first."""
        return await self._database.read(lambda txn: sql.aliases_of(txn, room_id))

    async def aliases_for(self, requester: Requester, room_id: str) -> list[str]:
        """The aliases of a room, for those who may know: members, and everybody of a world-readable room."""
        room = await self._rooms.live.get(room_id)
        visibility = room.state_event("m.room.history_visibility")
        is_open = visibility is not None and visibility.content.get("history_visibility") == "world_readable"
        if not is_open and room.membership_of(requester.user_id) != "join":
            raise Forbidden("You are not in this room")
        return await self.aliases_of(room_id)

    async def pointing_to(self, room_id: str, aliases: Sequence[str]) -> set[str]:
        """Those of the aliases that point to a room."""
        if not aliases:
            return set()
        return await self._database.read(lambda txn: sql.pointing(txn, room_id, aliases))

    async def create(self, requester: Requester, alias: str, room_id: str) -> None:
        """Make an alias. Raises InvalidParam, Forbidden, AliasTaken, NotFound (no such room)."""
        self.check_new(requester, alias, room_id)
        room = await self._rooms.live.get(room_id)
        is_member = room.membership_of(requester.user_id) == "join" or requester.is_admin
        if self._config.require_membership_for_aliases and not is_member:
            raise Forbidden("You must be in the room to make an alias for it")
        if not await self._take(alias, room_id, requester.user_id):
            raise AliasTaken()

    def check_new(self, requester: Requester, alias: str, room_id: str) -> None:
        """Check that a user may make an alias of this name here. Raises InvalidParam, Forbidden."""
        name, server = parse_room_alias(alias)
        if server != self._rooms.identity.server_name:
            raise InvalidParam("The room alias belongs to another server")
        if any(character.isspace() for character in name):
            raise InvalidParam("A room alias must not contain white space")
        if not (requester.is_admin or self._rules.allow(requester.user_id, room_id, [alias])):
            raise Forbidden("This server does not let you make this room alias")

    async def reserve(self, requester: Requester, alias: str) -> None:
        """Take an alias for a room that is about to be made; follow with `point` or `release`. Raises RoomInUse."""
        self.check_new(requester, alias, "")
        if not await self._take(alias, "", requester.user_id):
            raise RoomInUse()

    async def point(self, alias: str, room_id: str) -> None:
        """Let a reserved alias point to its room."""
        await self._database.write(lambda txn: sql.point(txn, alias, room_id))

    async def release(self, alias: str) -> None:
        """Give a reserved alias up."""
        await self._database.write(lambda txn: sql.release(txn, alias))

    async def move(self, old_id: str, new_id: str) -> None:
        """Give all aliases of a room, and its place in the published directory, to its replacement."""
        await self._database.write(lambda txn: sql.move(txn, old_id, new_id))

    async def delete(self, requester: Requester, alias: str) -> None:
        """Remove an alias, also from the room's m.room.canonical_alias if the user may change that.

        Allowed to whoever made it, to those who may set the room's canonical alias, and to administrators.
        Raises InvalidParam, NotFound, Forbidden.
        """
        parse_room_alias(alias)
        found = await self._database.read(lambda txn: sql.resolve(txn, alias))
        if found is None:
            raise NotFound(f"There is no room alias {alias}")
        room_id, creator = found
        room = await self._rooms.live.get(room_id)
        user_id = requester.user_id
        if user_id != creator and not requester.is_admin and not may_set_canonical_alias(room, user_id):
            raise Forbidden("You may not remove this room alias")
        await self._database.write(lambda txn: sql.remove(txn, alias, room_id))
        await self._forget_in_state(room, user_id, alias)

    async def _take(self, alias: str, room_id: str, creator: str) -> bool:
        now_ms = self._clock.now_ms()
        stale_ms = now_ms - RESERVATION_MS
        return await self._database.write(
            lambda txn: sql.reserve(txn, alias, room_id, creator, now_ms=now_ms, stale_ms=stale_ms)
        )

    async def _forget_in_state(self, room: LiveRoom, user_id: str, alias: str) -> None:
        current = room.state_event(CANONICAL_ALIAS)
        if current is None:
            return
        content = dict(current.content)
        if content.get("alias") == alias:
            del content["alias"]
        others = content.get("alt_aliases")
        if isinstance(others, list):
            content["alt_aliases"] = [other for other in others if other != alias]
            if not content["alt_aliases"]:
                del content["alt_aliases"]
        if content == current.content:
            return
        draft = Draft(type=CANONICAL_ALIAS, sender=user_id, state_key="", content=content)
        try:
            await self._rooms.creation.send(room.identity.room_id, draft)
        except AuthError:
            return


def may_set_canonical_alias(room: LiveRoom, user_id: str) -> bool:
    """Whether a user is in a room and has the power to set its canonical alias."""
    levels = room.power_levels
    return room.membership_of(user_id) == "join" and levels.of(user_id) >= levels.to_send(CANONICAL_ALIAS, True)
