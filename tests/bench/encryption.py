"""What encryption costs the server: uploads and claims of keys, queries of devices, messages from device to device."""

from functools import partial
from typing import Any
from urllib.parse import quote

from tests.bench import load
from tests.bench.load import V3, Connection
from tests.bench.measuring import Bench, timed

KEY = "A" * 43


async def keys(bench: Bench) -> None:
    """Devices upload keys, others query and claim them and send to the devices."""
    count = bench.size(200, 40)
    users = await bench.users(count)
    names = [await user.json("GET", f"{V3}/account/whoami") for user in users]
    latencies: list[float] = []
    uploads = [partial(_upload, user, name) for user, name in zip(users, names, strict=True)]
    async with bench.measured("keys upload, 50 one-time keys", count, latencies):
        await load.at_once([timed(latencies, upload) for upload in uploads], 8)
    await _each(bench, "keys query of 20 users", users, names, _query)
    await _each(bench, "keys claim of 20 devices", users, names, _claim)
    await _each(bench, "sendToDevice to 20 devices", users, names, _send)


async def _each(bench: Bench, name: str, users: list[Connection], names: list[Any], call: Any) -> None:
    """Every user asks about the twenty after it."""
    latencies: list[float] = []
    calls = []
    for index, user in enumerate(users):
        others = [names[(index + step) % len(names)] for step in range(1, 21)]
        calls.append(timed(latencies, partial(call, user, others, index)))
    async with bench.measured(name, len(calls), latencies):
        await load.at_once(calls, 8)


async def _upload(user: Connection, name: Any) -> None:
    user_id, device_id = name["user_id"], name["device_id"]
    signatures = {user_id: {f"ed25519:{device_id}": "s" * 86}}
    device = {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {f"ed25519:{device_id}": KEY, f"curve25519:{device_id}": KEY},
        "signatures": signatures,
    }
    one_time = {f"signed_curve25519:K{index:05}": {"key": KEY, "signatures": signatures} for index in range(50)}
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
