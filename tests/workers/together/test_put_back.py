"""A database that is put back under a running server: nobody believes what they remember."""

from replication.sql import incarnation
from tests.kit.group import Group


async def test_a_database_that_was_put_back_gets_a_new_incarnation(group: Group) -> None:
    database = group.homeserver.kit.database
    stopped: list[str] = []
    for member in group.members:
        member.sharing.on_replaced = lambda name=member.name: stopped.append(name)
    alice = await group.register("alice")
    await group.create_room(alice)
    await group.caught_up()
    for member in group.members:
        await member.homeserver.spine.rooms.reader.poll()
    before = await database.write(lambda txn: incarnation(txn, 1))
    await database.write(
        lambda txn: txn.run("UPDATE shards SET forward = 0, epoch = epoch + 1 WHERE family = 'room' AND forward > 0")
    )
    for member in group.members:
        await member.homeserver.spine.rooms.reader.poll()
    while len(set(stopped)) < len(group.members):
        await group.homeserver.kit.clock.sleep(0.01)
    assert await database.write(lambda txn: incarnation(txn, 1)) != before
