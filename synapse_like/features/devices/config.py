"""Devices in homeserver.yaml."""

from dataclasses import dataclass

from synapse_like.toolkit.config import Duration, option


@dataclass(frozen=True)
class DevicesConfig:
    """Devices."""

    delete_stale_devices_after: Duration | None = option(
        None, "Devices that were not seen for so long are deleted, with their sessions; none if not set."
    )
