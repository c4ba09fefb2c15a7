"""After a logout was answered no process takes the token, however fast news travels."""

from typing import Any

import pytest

from tests.kit.group import Group, Member


def deafen(member: Member) -> None:
    """The bus brings this process nothing any more."""
    member.sharing.bus._carrier.on_frame = lambda data: None


@pytest.mark.parametrize("has_bus", [True, False])
async def test_a_token_is_dead_everywhere_once_its_end_was_answered(group: Group, has_bus: bool) -> None:
    if not has_bus:
        for member in group.members:
            deafen(member)
    tokens = [await group.register(f"user{n}") for n in range(4)]
    for token in tokens:
        for member in group.members:
            await group.at(member).ok("GET", "/account/whoami", token=token)
    for number, token in enumerate(tokens):
        first = group.members[number % len(group.members)]
        await group.at(first).ok("POST", "/logout", {}, token=token)
        for member in group.members:
            answer = await group.at(member).request("GET", "/account/whoami", token=token)
            assert answer.status == 401, member.name


@pytest.mark.config(worker_lease="1s")
async def test_who_cannot_be_told_is_struck_out_and_answers_nothing_meanwhile(group: Group) -> None:
    alice = await group.register("alice")
    (cut,) = [member for member in group.members if member.name == "sync-3"]
    for member in group.members:
        await group.at(member).ok("GET", "/account/whoami", token=alice)
    deafen(cut)
    answer: Any = cut.sharing.barrier.answer

    async def never(_: bytes) -> bytes:
        await group.homeserver.kit.clock.sleep(60)
        return b""

    cut.sharing._methods["heard"] = lambda incoming: never(incoming.body)
    others = [member for member in group.members if member is not cut]
    await group.at(others[0]).ok("POST", "/logout", {}, token=alice)
    status = (await group.at(cut).request("GET", "/account/whoami", token=alice)).status
    assert status in (401, 503)
    cut.sharing._methods["heard"] = lambda incoming: answer(incoming.body)
    while (await group.at(cut).request("GET", "/account/whoami", token=alice)).status != 401:
        await group.homeserver.kit.clock.sleep(0.05)
