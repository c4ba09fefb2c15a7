"""Devices with keys, as clients with encryption have them: real Ed25519 signatures, made-up Curve25519 keys."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from synapse_like.matrix.signatures import sign_json
from synapse_like.matrix.signing_keys import SigningKey
from tests.kit.homeserver import TestServer

ALGORITHM = "signed_curve25519"


def signing_key(name: str) -> SigningKey:
    """A key of that name; the version is a placeholder."""
    return SigningKey.from_seed("x", hashlib.sha256(name.encode()).digest())


def public(key: SigningKey) -> str:
    """Its public half in base64."""
    return key.verify_key.to_base64()


def signed(value: dict[str, Any], user_id: str, version: str, key: SigningKey) -> dict[str, Any]:
    """The object with a signature under the name ``ed25519:version``."""
    named = _Named(version, key)
    return sign_json(value, user_id, named)  # type: ignore[arg-type]


@dataclass
class _Named:
    """A key under another name: devices' names may hold any character."""

    version: str
    key: SigningKey

    @property
    def key_id(self) -> str:
        return f"ed25519:{self.version}"

    def signature(self, message: bytes) -> str:
        return self.key.signature(message)


@dataclass
class KeyDevice:
    """A device of a user: its token and its keys."""

    server: TestServer
    token: str
    user_id: str
    device_id: str
    uploaded: int = 0
    key: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = signing_key(f"{self.user_id} {self.device_id}")

    @classmethod
    async def register(cls, server: TestServer, name: str, device_id: str = "PHONE") -> "KeyDevice":
        """A new user's first device."""
        return cls(server, await server.register(name, device_id=device_id), f"@{name}:test", device_id)

    async def login(self, device_id: str) -> "KeyDevice":
        """Another device of the user."""
        who = {"type": "m.id.user", "user": self.user_id}
        body = {"type": "m.login.password", "identifier": who, "password": "wordpass-1", "device_id": device_id}
        token = (await self.server.ok("POST", "/login", body))["access_token"]
        return KeyDevice(self.server, token, self.user_id, device_id)

    @property
    def device_keys(self) -> dict[str, Any]:
        """What the device uploads about itself."""
        keys = {
            "user_id": self.user_id,
            "device_id": self.device_id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                f"curve25519:{self.device_id}": "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI",
                f"ed25519:{self.device_id}": public(self.key),
            },
        }
        return signed(keys, self.user_id, self.device_id, self.key)

    def one_time_key(self, name: str) -> dict[str, Any]:
        """A signed key."""
        return signed({"key": f"key of {name}"}, self.user_id, self.device_id, self.key)

    def one_time_keys(self, names: Iterable[str]) -> dict[str, Any]:
        """Signed keys by id."""
        return {f"{ALGORITHM}:{name}": self.one_time_key(name) for name in names}

    async def upload(self, count: int = 0, *, fallback: str = "", has_device_keys: bool = True) -> Any:
        """Upload device keys and `count` more one-time keys; the counts."""
        names = [f"k{index:04}" for index in range(self.uploaded, self.uploaded + count)]
        self.uploaded += count
        body: dict[str, Any] = {"one_time_keys": self.one_time_keys(names)}
        if has_device_keys:
            body["device_keys"] = self.device_keys
        if fallback:
            body["fallback_keys"] = {f"{ALGORITHM}:{fallback}": {**self.one_time_key(fallback), "fallback": True}}
        return (await self.ok("POST", "/keys/upload", body))["one_time_key_counts"]

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """A request of this device that must succeed."""
        return await self.server.ok(method, path, body, token=self.token, **options)

    async def query(self, *user_ids: str) -> Any:
        """All keys of users."""
        return await self.ok("POST", "/keys/query", {"device_keys": {user_id: [] for user_id in user_ids}})

    async def claim(self, user_id: str, device_id: str) -> dict[str, Any] | None:
        """A one-time key of a device, by its id; None if there is none."""
        body = {"one_time_keys": {user_id: {device_id: ALGORITHM}}}
        found = (await self.ok("POST", "/keys/claim", body))["one_time_keys"]
        keys: dict[str, Any] | None = found.get(user_id, {}).get(device_id)
        return keys

    async def send(self, transaction: str, messages: Any, kind: str = "m.test") -> None:
        """Send messages to devices."""
        await self.ok("PUT", f"/sendToDevice/{kind}/{transaction}", {"messages": messages})

    async def sync(self, since: str | None = None, **query: Any) -> Any:
        """One sync that has heard of everything."""
        await self.server.caught_up()
        return await self.server.sync(self.token, since, **query)


def cross_signing_keys(user_id: str, name: str = "") -> dict[str, Any]:
    """The three keys as a client uploads them; `name` tells one set from another."""
    keys = {}
    master = signing_key(f"{user_id} master {name}")
    for usage in ("master", "self_signing", "user_signing"):
        text = public(signing_key(f"{user_id} {usage} {name}"))
        key = {"user_id": user_id, "usage": [usage], "keys": {f"ed25519:{text}": text}}
        keys[f"{usage}_key"] = key if usage == "master" else signed(key, user_id, public(master), master)
    return keys


def sign_device(device: KeyDevice, name: str = "") -> dict[str, Any]:
    """A device's keys, signed with its user's self-signing key of that name."""
    key = signing_key(f"{device.user_id} self_signing {name}")
    return signed(device.device_keys, device.user_id, public(key), key)


def sign_user(signer: str, other: str, name: str = "") -> tuple[str, dict[str, Any]]:
    """The id of another user's master key, and that key signed with a user's user-signing key."""
    master = cross_signing_keys(other, name)["master_key"]
    key = signing_key(f"{signer} user_signing {name}")
    return next(iter(master["keys"].values())), signed(master, signer, public(key), key)


def proof_of(user_id: str) -> dict[str, Any]:
    """The stage of the password."""
    return {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user_id},
        "password": "wordpass-1",
    }
