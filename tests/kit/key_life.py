"""What random life does with devices: keys, messages between devices, logging in and out, cross-signing."""

import random
from typing import Any

from tests.kit.encryption import KeyDevice, cross_signing_keys, proof_of, sign_device
from tests.kit.homeserver import TestServer


class KeyLife:
    """Devices of some users. `sent` holds, by (user, device), what was sent to each, in order."""

    def __init__(self, server: TestServer, devices: list[KeyDevice], chance: random.Random) -> None:
        self.server = server
        self.devices = list(devices)
        self.random = chance
        self.sent: dict[tuple[str, str], list[Any]] = {}
        self.history: list[str] = []
        self._count = 0

    async def act(self) -> None:
        """One action of some device."""
        action = self.random.choice(
            [self._upload] * 3
            + [self._claim] * 2
            + [self._send] * 5
            + [self._rename, self._login, self._logout]
            + [self._cross_sign, self._sign]
        )
        device = self.random.choice(self.devices)
        self.history.append(f"{action.__name__} {device.user_id} {device.device_id}")
        await action(device)

    async def _upload(self, device: KeyDevice) -> None:
        self._count += 1
        await device.upload(self.random.randrange(3), fallback=f"f{self._count}" if self.random.random() < 0.3 else "")

    async def _claim(self, device: KeyDevice) -> None:
        other = self.random.choice(self.devices)
        await device.claim(other.user_id, other.device_id)

    async def _send(self, device: KeyDevice) -> None:
        """To a device or all devices of a user, sometimes more at once than fits into one response."""
        other = self.random.choice(self.devices)
        to = self.random.choice([other.device_id, other.device_id, "*"])
        for _ in range(self.random.choice([1, 1, 3, 130])):
            self._count += 1
            content = {"count": self._count}
            await device.send(f"t{self._count}", {other.user_id: {to: content}})
            for each in self.devices:
                if each.user_id == other.user_id and to in ("*", each.device_id):
                    self.sent.setdefault((each.user_id, each.device_id), []).append(content)

    async def _rename(self, device: KeyDevice) -> None:
        self._count += 1
        await device.ok("PUT", f"/devices/{device.device_id}", {"display_name": f"name {self._count}"})

    async def _login(self, device: KeyDevice) -> None:
        self._count += 1
        if len(self.devices) < 12:
            self.devices.append(await device.login(f"D{self._count}"))

    async def _logout(self, device: KeyDevice) -> None:
        if device.device_id.startswith("D"):
            self.devices.remove(device)
            await device.ok("POST", "/logout", {})

    async def _cross_sign(self, device: KeyDevice) -> None:
        self._count += 1
        keys = cross_signing_keys(device.user_id, str(self._count // 100))
        await device.ok("POST", "/keys/device_signing/upload", {**keys, "auth": proof_of(device.user_id)})

    async def _sign(self, device: KeyDevice) -> None:
        await device.upload()
        signed = sign_device(device, str(self._count // 100))
        await device.ok("POST", "/keys/signatures/upload", {device.user_id: {device.device_id: signed}})
