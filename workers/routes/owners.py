"""Tells HAProxy which process owns which rooms, so that a request need not be passed on by one that does not.

The table of `haproxy` looks owners up in a map: the number of a shard, and the name of its owner. Here the map is kept
as the database says. If it is behind, or not there at all, requests only take a way around.
"""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from replication.sql.shards import owners
from synapse_like.rooms.families import ROOM
from synapse_like.toolkit.db import open_engine

NOBODY: Final = "-"
TIMEOUT_SECONDS: Final = 2.0
_PART_BYTES: Final = 4096


def empty_map() -> str:
    """The text of a map in which no shard has an owner."""
    return _text(dict.fromkeys(range(ROOM.shards), NOBODY))


class OwnersMap:
    """The map of a HAProxy that listens for commands at a socket. Its methods block: call them in a thread."""

    def __init__(self, database: Mapping[str, Any], path: Path, commands: Path) -> None:
        self._database = dict(database)
        self._path = path
        self._commands = commands
        self._told: dict[int, str] = {}

    def refresh(self) -> None:
        """Tell what has changed. Raises DatabaseError or OSError; the next time everything is told again."""
        told, self._told = self._told, {}
        found = self._owners()
        if changed := {shard: owner for shard, owner in found.items() if told.get(shard) != owner}:
            unfinished = self._path.with_name(f"{self._path.name}.new")
            unfinished.write_text(_text(found))
            unfinished.rename(self._path)  # read again by a HAProxy that starts
            self._tell(changed)
        self._told = found

    def _owners(self) -> dict[int, str]:
        engine = open_engine("psycopg2", self._database)
        connection = engine.connect(lambda _: None)
        try:
            rows = owners(connection.begin(is_read_only=True))
        finally:
            connection.close()
            engine.close()
        known = {shard: owner for family, shard, owner, _, _ in rows if family == ROOM.name and owner}
        return {shard: known.get(shard, NOBODY) for shard in range(ROOM.shards)}

    def _tell(self, changed: Mapping[int, str]) -> None:
        words = ";".join(f"set map {self._path} {shard} {owner}" for shard, owner in changed.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(TIMEOUT_SECONDS)
            link.connect(str(self._commands))
            link.sendall(f"{words}\n".encode())
            answer = b""
            while part := link.recv(_PART_BYTES):  # it closes when all is done
                answer += part
        if words := answer.decode(errors="replace").strip():
            raise OSError(f"HAProxy refused the owners of rooms: {words[:200]}")


def _text(found: Mapping[int, str]) -> str:
    return "".join(f"{shard} {owner}\n" for shard, owner in sorted(found.items()))
