"""Keys and messages to devices with several processes: each key is given out once, each message arrives once."""

from typing import Any

import pytest

from synapse_like.toolkit.together import together
from tests.kit.encryption import ALGORITHM, KeyDevice
from tests.kit.group import Group

PATIENCE = 100


async def insist(device: KeyDevice, method: str, path: str, body: Any) -> Any:
    """Repeat a request while the server says that it cannot answer at the moment."""
    answer = await device.server.request(method, path, body, token=device.token)
    for _ in range(PATIENCE):
        if answer.status < 500:
            break
        await device.server.homeserver.kit.clock.sleep(0.2)
        answer = await device.server.request(method, path, body, token=device.token)
    assert answer.status == 200, answer
    return answer.body


async def claimed(device: KeyDevice, user_id: str) -> str:
    """The id of a key of a user's phone."""
    body = {"one_time_keys": {user_id: {"PHONE": ALGORITHM}}}
    found = (await insist(device, "POST", "/keys/claim", body))["one_time_keys"]
    (key_id,) = found[user_id]["PHONE"]
    return str(key_id)


async def pair(group: Group) -> tuple[KeyDevice, KeyDevice]:
    return await KeyDevice.register(group, "alice"), await KeyDevice.register(group, "bob")


async def test_two_hundred_claims_get_two_hundred_keys(group: Group) -> None:
    alice, bob = await pair(group)
    await alice.upload(200, fallback="spare")
    ids = await together([claimed(bob, alice.user_id) for _ in range(205)])
    assert len(set(ids)) == 201
    assert ids.count(f"{ALGORITHM}:spare") == 5


@pytest.mark.timeout(120)
async def test_no_key_is_given_out_twice_while_users_move_to_another_process(group: Group) -> None:
    people = [await KeyDevice.register(group, f"user{index}") for index in range(8)]
    for person in people:
        await person.upload(20)
    claims = [claimed(people[index % 8], people[(index + 1) % 8].user_id) for index in range(8 * 20)]
    found: list[Any] = await together([*claims[:80], group.add("client", "client-9"), *claims[80:]])
    ids = [(index % 8, key_id) for index, key_id in enumerate([*found[:80], *found[81:]])]
    assert len(set(ids)) == len(ids) == 160


@pytest.mark.timeout(120)
async def test_messages_arrive_once_while_users_move_to_another_process(group: Group) -> None:
    alice, bob = await pair(group)

    async def send(number: int) -> None:
        body = {"messages": {bob.user_id: {"PHONE": {"n": number}}, alice.user_id: {"*": {"n": number}}}}
        path = f"/sendToDevice/m.test/t{number}"
        await together([insist(alice, "PUT", path, body) for _ in range(2)])

    added, *_ = await together([group.add("client", "client-9"), *(send(number) for number in range(60))])
    for device in (alice, bob):
        seen, since = [], None
        for _ in range(3):
            response = await device.sync(since)
            since = response["next_batch"]
            seen += [event["content"]["n"] for event in response.get("to_device", {}).get("events", [])]
        assert sorted(seen) == list(range(60))
    assert added in group.members


async def test_who_hears_of_changed_keys_gets_them_from_everybody(group: Group) -> None:
    """What a process has in memory of somebody's keys is never older than what /sync told, whichever answers."""
    alice, bob = await pair(group)
    await alice.upload()
    room_id = await group.create_room(alice.token, preset="public_chat")
    await group.join(bob.token, room_id)
    since = (await bob.sync())["next_batch"]
    for round_number in range(6):
        body = {"device_keys": {**alice.device_keys, "algorithms": [f"m.{round_number}"]}}
        await alice.ok("POST", "/keys/upload", body)
        response = await group.sync(bob.token, since, timeout=10000)
        while alice.user_id not in response.get("device_lists", {}).get("changed", []):
            response = await group.sync(bob.token, response["next_batch"], timeout=10000)
        since = response["next_batch"]
        for answer in await together([bob.query(alice.user_id) for _ in range(5)]):
            assert answer["device_keys"][alice.user_id]["PHONE"]["algorithms"] == [f"m.{round_number}"]
