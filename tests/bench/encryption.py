"""What encryption costs the server: uploads and claims of keys, queries of devices, messages from device to device."""

from functools import partial
from typing import Any
from urllib.parse import quote

from tests.bench import load
from tests.bench.load import V3, Connection
from tests.bench.measuring import Bench, timed

KEY = "A" * 43


async def fifties(bench: Bench) -> None:
    """Devices upload keys; requests for fifty users or devices; and a sync that brings a hundred messages."""
    count = bench.size(100, 52)
    users = await bench.users(count)
    names = [await user.json("GET", f"{V3}/account/whoami") for user in users]
    latencies: list[float] = []
    uploads = [partial(_upload, user, name) for user, name in zip(users, names, strict=True)]
    async with bench.measured("keys upload, 50 one-time keys", count, latencies):
        await load.at_once([timed(latencies, upload) for upload in uploads], 8)
    for name, call in (("keys query", _query), ("keys claim", _claim), ("sendToDevice", _send)):
        await _each(bench, f"{name}, 50 users", users, names, call, others=50)
        if call is _claim:  # nobody has a key left
            more = [partial(_upload, user, who, first=50) for user, who in zip(users, names, strict=True)]
            await load.at_once(more, 8)
        await _each(bench, f"{name}, 50 users, one by one", users, names, call, others=50, first=count, width=1)
    await _one_user(bench, users[:20])
    places = await load.at_once([partial(load.sync, user) for user in users], 8)
    for step in range(2):
        await _each(bench, "", users, names, _send, others=50, first=(step + 2) * count, is_measured=False)
    latencies = []
    pairs = zip(users, places, strict=True)
    syncs = [timed(latencies, partial(load.sync, user, place["next_batch"])) for user, place in pairs]
    async with bench.measured("sync, 100 messages to the device", count, latencies):
        replies = await load.at_once(syncs, 8)
    assert all(len(reply["to_device"]["events"]) == 100 for reply in replies)


async def _one_user(bench: Bench, users: list[Connection]) -> None:
    """Fifty devices of one user."""
    (user,) = await bench.users(1)
    name = await user.json("GET", f"{V3}/account/whoami")
    who = {"type": "m.id.user", "user": name["user_id"]}
    devices = []
    for _ in range(50):
        body = {"type": "m.login.password", "identifier": who, "password": "a long enough password"}
        reply = await user.json("POST", f"{V3}/login", body)
        devices.append({"user_id": reply["user_id"], "device_id": reply["device_id"]})
        await _upload(Connection(bench.port, reply["access_token"]), devices[-1])

    async def claim(asker: Connection, index: int) -> None:
        wanted = {name["user_id"]: {each["device_id"]: "signed_curve25519" for each in devices}}
        await asker.json("POST", f"{V3}/keys/claim", {"one_time_keys": wanted})

    async def send(asker: Connection, index: int) -> None:
        messages = {name["user_id"]: {each["device_id"]: {"ciphertext": "c" * 400} for each in devices}}
        await asker.json("PUT", f"{V3}/sendToDevice/m.room.encrypted/one{index}", {"messages": messages})

    for what, call in (("keys claim", claim), ("sendToDevice", send)):
        latencies: list[float] = []
        calls = [timed(latencies, partial(call, asker, index)) for index, asker in enumerate(users)]
        async with bench.measured(f"{what}, 50 devices of a user", len(calls), latencies):
            await load.at_once(calls, 8)


async def _each(
    bench: Bench,
    name: str,
    users: list[Connection],
    names: list[Any],
    call: Any,
    *,
    others: int,
    first: int = 0,
    width: int = 8,
    is_measured: bool = True,
) -> None:
    """Every user asks about those after it; requests are numbered from `first` on."""
    latencies: list[float] = []
    calls = []
    for index, user in enumerate(users):
        asked = [names[(index + step) % len(names)] for step in range(1, others + 1)]
        calls.append(timed(latencies, partial(call, user, asked, first + index)))
    if not is_measured:
        await load.at_once(calls, width)
        return
    async with bench.measured(name, len(calls), latencies):
        await load.at_once(calls, width)


async def _upload(user: Connection, name: Any, first: int = 0) -> None:
    user_id, device_id = name["user_id"], name["device_id"]
    signatures = {user_id: {f"ed25519:{device_id}": "s" * 86}}
    device = {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {f"ed25519:{device_id}": KEY, f"curve25519:{device_id}": KEY},
        "signatures": signatures,
    }
    one_time = {
        f"signed_curve25519:K{index:05}": {"key": KEY, "signatures": signatures} for index in range(first, first + 50)
    }
    await user.json("POST", f"{V3}/keys/upload", {"device_keys": device, "one_time_keys": one_time})


async def _query(user: Connection, others: list[Any], index: int) -> None:
    await user.json("POST", f"{V3}/keys/query", {"device_keys": {each["user_id"]: [] for each in others}})


async def _claim(user: Connection, others: list[Any], index: int) -> None:
    wanted = {each["user_id"]: {each["device_id"]: "signed_curve25519"} for each in others}
    await user.json("POST", f"{V3}/keys/claim", {"one_time_keys": wanted})


async def _send(user: Connection, others: list[Any], index: int) -> None:
    messages = {each["user_id"]: {each["device_id"]: {"ciphertext": "c" * 400}} for each in others}
    path = f"{V3}/sendToDevice/m.room.encrypted/{quote(f't{index}')}"
    await user.json("PUT", path, {"messages": messages})
