"""Several processes answer as one: whoever is asked, whoever owns."""

from urllib.parse import quote

from tests.kit.group import Group


async def test_everybody_answers_everything(group: Group) -> None:
    tokens = {name: await group.register(name) for name in ("alice", "bob")}
    for index in range(12):
        room_id = await group.create_room(tokens["alice"], preset="public_chat", name=f"Room {index}")
        await group.join(tokens["bob"], room_id)
        event_id = await group.send(tokens["bob"], room_id, f"text {index}")
        path = f"/rooms/{quote(room_id)}/event/{quote(event_id)}"
        assert (await group.ok("GET", path, token=tokens["alice"]))["content"]["body"] == f"text {index}"
    assert len((await group.ok("GET", "/joined_rooms", token=tokens["bob"]))["joined_rooms"]) == 12


async def test_shards_are_shared_by_their_kinds(group: Group) -> None:
    owned = {member.name: (len(member.owned("room")), len(member.owned("user"))) for member in group.members}
    assert owned["main-0"] == (0, 0) and owned["sync-3"] == (0, 0)
    assert owned["client-4"] == (0, 32)
    one, other = owned["event_writer-1"][0], owned["event_writer-2"][0]
    assert one + other == 32 and min(one, other) >= 6


async def test_a_third_writer_takes_a_third(group: Group) -> None:
    before = {member.name: set(member.owned("room")) for member in group.members}
    added = await group.add("event_writer", "event_writer-9")
    after = {member.name: set(member.owned("room")) for member in group.members}
    assert 4 <= len(added.owned("room")) <= 18
    assert all(after[name] <= shards for name, shards in before.items())  # nothing moved but to the new one
    await group.remove(added)
    await group.settled()
    assert {member.name: set(member.owned("room")) for member in group.members} == before
