"""Waiting until a process has heard of all that is committed."""

from replication import sql
from tests.kit.homeserver import TestServer


async def caught_up(server: TestServer) -> None:
    """Wait until the server's reader stands where the logs end."""
    committed = await server.homeserver.kit.database.read(sql.all_positions)
    while any(not server.rooms.reader.positions[family].reaches(ends) for family, ends in committed.items()):
        await server.homeserver.kit.clock.sleep(0)
