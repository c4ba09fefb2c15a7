"""Deleting devices that nobody has used for a long time."""

import logging
from typing import Final

from synapse_like.features.devices.config import DevicesConfig
from synapse_like.features.sessions import Devices
from synapse_like.toolkit.clock import Clock

EVERY_SECONDS: Final = 24 * 60 * 60.0

logger = logging.getLogger(__name__)


class StaleDevices:
    """A job of the whole server."""

    def __init__(self, devices: Devices, clock: Clock, config: DevicesConfig) -> None:
        self._devices = devices
        self._clock = clock
        self._after = config.delete_stale_devices_after

    async def delete(self) -> None:
        """Delete them, user by user; what is too much for one run is left to the next."""
        if self._after is None:
            return
        before_ms = self._clock.now_ms() - self._after.ms
        for user_id, device_ids in (await self._devices.stale(before_ms)).items():
            logger.info("deleting devices of %s that were not seen for long: %s", user_id, ", ".join(device_ids))
            await self._devices.delete_stale(user_id, device_ids, before_ms)
