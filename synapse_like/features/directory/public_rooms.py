"""The published room directory: which rooms are in it, and reading it page by page. Aliases are in `logic`."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synapse_like.features.directory import sql
from synapse_like.features.directory.config import DirectoryConfig
from synapse_like.features.directory.logic import may_set_canonical_alias
from synapse_like.features.directory.rules import Rules
from synapse_like.matrix.errors import Forbidden, InvalidParam
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row
from synapse_like.toolkit.http import Requester

MOST_ROOMS = 500
"""The most rooms on a page."""
_TOKEN = re.compile(r"([nb])([0-9]{1,18})\.(.*)", re.DOTALL)
_START = (2**62, "")


@dataclass(frozen=True, slots=True)
class Page:
    """What of the directory is asked for. `room_types`: "" stands for rooms without a type; None for all rooms."""

    limit: int = 100
    since: str | None = None
    search: str = ""
    room_types: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """What a room shows of itself. Texts are None or empty where the state says nothing."""

    room_id: str
    room_nid: int
    room_version: str
    joined_members: int
    name: str | None
    topic: str | None
    canonical_alias: str | None
    avatar_url: str | None
    join_rule: str | None
    history_visibility: str | None
    guest_access: str | None
    room_type: str | None
    encryption: str | None

    @property
    def is_world_readable(self) -> bool:
        """Whether everybody may look into the room."""
        return self.history_visibility == "world_readable"

    def shown(self) -> dict[str, Any]:
        """The summary as hierarchies show it."""
        texts = {
            "name": self.name,
            "topic": self.topic,
            "canonical_alias": self.canonical_alias,
            "avatar_url": self.avatar_url,
            "room_type": self.room_type,
            "encryption": self.encryption,
            "room_version": self.room_version,
        }
        return {
            "room_id": self.room_id,
            "num_joined_members": self.joined_members,
            "world_readable": self.is_world_readable,
            "guest_can_join": self.guest_access == "can_join",
            "join_rule": self.join_rule or "invite",
            **{key: text for key, text in texts.items() if text},
        }


class PublicRooms:
    """The published room directory."""

    def __init__(self, rooms: Rooms, database: Database, rules: Rules, config: DirectoryConfig) -> None:
        self._rooms = rooms
        self._database = database
        self._rules = rules
        self._config = config

    def is_of(self, server: str) -> bool:
        """Whether this is the directory of a server."""
        return server == self._rooms.identity.server_name

    async def is_published(self, room_id: str) -> bool:
        """Whether a room is in the directory. Raises NotFound for a room that this server does not know."""
        await self._rooms.live.get(room_id)
        return await self._database.read(lambda txn: sql.is_published(txn, room_id))

    async def set_published(self, requester: Requester, room_id: str, is_public: bool) -> None:
        """Publish a room or take it out, if the user may set the room's canonical alias. Raises Forbidden, NotFound."""
        room = await self._rooms.live.get(room_id)
        if not requester.is_admin and not may_set_canonical_alias(room, requester.user_id):
            raise Forbidden("You may not change whether this room is in the directory")
        if is_public:
            self.check_publication(
                requester, room_id, await self._database.read(lambda txn: sql.aliases_of(txn, room_id))
            )
        await self.list_room(room_id, is_public=is_public)

    def check_publication(self, requester: Requester, room_id: str, aliases: Sequence[str]) -> None:
        """Check the administrators' rules about who publishes what. Raises Forbidden."""
        if not (requester.is_admin or self._rules.allow(requester.user_id, room_id, aliases)):
            raise Forbidden("This server does not let you publish this room in its directory")

    async def list_room(self, room_id: str, *, is_public: bool = True) -> None:
        """Put a room into the directory, or take it out, without asking who wants it."""
        await self._database.write(lambda txn: sql.set_published(txn, room_id, is_public))

    def summaries(self, transaction: Transaction, room_ids: Sequence[str]) -> dict[str, RoomSummary]:
        """What some rooms show of themselves, in a database thread; rooms that are not known are left out."""
        return {row[0]: RoomSummary(*row) for row in sql.summaries(transaction, room_ids)}

    async def page(self, asked: Page) -> dict[str, Any]:
        """One page of the directory, the rooms with most members first; two queries. Raises InvalidParam."""
        if not self._config.enable_room_list_search:
            return {"chunk": [], "total_room_count_estimate": 0}
        is_backward, place = _place(asked.since)
        pattern = _pattern(asked.search)

        def read(txn: Transaction) -> tuple[list[Row], int]:
            rows = sql.public_rooms(
                txn, place, asked.limit + 1, is_backward=is_backward, pattern=pattern, room_types=asked.room_types
            )
            return rows, sql.count_public_rooms(txn)

        rows, count = await self._database.read(read)
        has_more = len(rows) > asked.limit
        rows = rows[: asked.limit]
        if is_backward:
            rows.reverse()
        answer: dict[str, Any] = {"chunk": [_entry(row) for row in rows], "total_room_count_estimate": count}
        if rows and (has_more or is_backward):
            answer["next_batch"] = _token("n", rows[-1])
        if rows and (has_more if is_backward else asked.since is not None):
            answer["prev_batch"] = _token("b", rows[0])
        return answer


def _entry(row: Row) -> dict[str, Any]:
    room_id, members, name, topic, alias, avatar_url, join_rule, visibility, guest_access, room_type = row
    entry = {
        "room_id": room_id,
        "num_joined_members": members,
        "world_readable": visibility == "world_readable",
        "guest_can_join": guest_access == "can_join",
        "join_rule": join_rule or "invite",
    }
    texts = {
        "name": name,
        "topic": topic,
        "canonical_alias": alias,
        "avatar_url": avatar_url,
        "room_type": room_type,
    }
    return entry | {key: text for key, text in texts.items() if text}


def _pattern(search: str) -> str:
    if not search:
        return ""
    escaped = re.sub(r"([!%_])", r"!\1", search.replace("\0", "").casefold())
    return f"%{escaped}%"


def _token(direction: str, row: Row) -> str:
    return urlsafe_b64encode(f"{direction}{row[1]}.{row[0]}".encode()).decode().rstrip("=")


def _place(token: str | None) -> tuple[bool, tuple[int, str]]:
    """Whether to go backward, and from where."""
    if token is None or token == "":
        return False, _START
    try:
        text = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        text = ""
    match = _TOKEN.fullmatch(text)
    if match is None or "\0" in text:
        raise InvalidParam("This is not a token of the room directory")
    return match[1] == "b", (int(match[2]), match[3])
