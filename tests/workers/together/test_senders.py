"""Several processes send to other servers: each server is told by one of them, also while they come and go."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from synapse_like.federation.outbound import Backoffs
from synapse_like.federation.outbound.families import shard_of_destination
from tests.kit.group import Group, Member, start_group
from tests.kit.remote_servers import Remotes, member

KINDS = ("main", "event_writer", "event_writer", "client", "federation_sender", "federation_sender")
SERVERS = [f"s{number}.example" for number in range(12)]


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    """A group with two processes that send."""
    started = await start_group(tmp_path, {}, KINDS)
    yield started
    await started.stop()


@pytest.fixture
def remotes(group: Group) -> Remotes:
    """All other servers, whichever process asks."""
    remotes = Remotes(group.homeserver)
    for each in group.members:
        remotes.meet(each.homeserver)
    return remotes


async def crowded_room(group: Group) -> tuple[str, str]:
    alice = await group.register("alice")
    room_id = await group.create_room(alice, preset="public_chat")
    rooms = await group.rooms_at(room_id)
    for server in SERVERS:
        await member(group, room_id, f"@user:{server}", rooms=rooms)
    return alice, room_id


def owner(group: Group, server: str) -> Member:
    (found,) = [each for each in group.members if shard_of_destination(server) in each.owned("destination")]
    return found


async def everybody_has(remotes: Remotes, texts: list[str]) -> None:
    """Wait until every server has all of the messages, each once but for what was sent again under its id."""
    await remotes.until(lambda: all(set(texts) <= set(remotes.texts(server)) for server in SERVERS), 40)
    for server in SERVERS:
        assert list(dict.fromkeys(remotes.texts(server))) == texts


async def test_each_server_is_told_by_the_process_that_owns_it(group: Group, remotes: Remotes) -> None:
    alice, room_id = await crowded_room(group)
    owners = {owner(group, server).name for server in SERVERS}
    assert owners == {"federation_sender-4", "federation_sender-5"}
    texts = [f"text {number}" for number in range(10)]
    for text in texts:
        await group.send(alice, room_id, text)
    await everybody_has(remotes, texts)
    assert all(len(remotes.texts(server)) == len(texts) for server in SERVERS)
    path = f"/rooms/{room_id}/typing/@alice:test"
    await group.ok("PUT", path, {"typing": True, "timeout": 20000}, token=alice)
    await remotes.until(lambda: all(remotes.edus(server, "m.typing") for server in SERVERS))
    messages = {f"@user:{server}": {"*": {"to": server}} for server in SERVERS}
    await group.ok("PUT", "/sendToDevice/m.test/1", {"messages": messages}, token=alice)
    await remotes.until(lambda: all(remotes.edus(server, "m.direct_to_device") for server in SERVERS))
    assert all(len(remotes.edus(server, "m.direct_to_device")) == 1 for server in SERVERS)


async def test_nothing_is_lost_while_processes_come_and_go(group: Group, remotes: Remotes) -> None:
    alice, room_id = await crowded_room(group)
    texts: list[str] = []

    async def talk() -> None:
        for _ in range(5):
            texts.append(f"text {len(texts)}")
            await group.send(alice, room_id, texts[-1])

    await talk()
    for server in SERVERS[:6]:
        remotes.hold(server)
    await talk()
    leaving = next(each for each in group.members if each.name == "federation_sender-5")
    await group.remove(leaving)
    await talk()
    for server in SERVERS[:6]:
        remotes.release(server)
    await group.settled()
    await talk()
    added = Member(group.config, "federation_sender", "federation_sender-9")
    remotes.meet(added.homeserver)
    await added.homeserver.start()
    group.members.append(added)
    await group.settled()
    await talk()
    await everybody_has(remotes, texts)


async def test_who_does_not_answer_one_process_is_left_alone_by_all(group: Group, remotes: Remotes) -> None:
    alice, room_id = await crowded_room(group)
    dead = SERVERS[0]
    await group.send(alice, room_id, "warm")
    await everybody_has(remotes, ["warm"])
    remotes.dead.add(dead)
    await group.send(alice, room_id, "late")
    fronts = [each.homeserver.front(Backoffs) for each in group.members]
    await remotes.until(lambda: all(front.of(dead) is not None for front in fronts))
    remotes.dead.clear()
    heard = next(each for each in group.members if each.name == "client-3")
    heard.homeserver.front(Backoffs).heard_from(dead)
    await remotes.until(lambda: "late" in remotes.texts(dead))
    await remotes.until(lambda: all(front.of(dead) is None for front in fronts))
