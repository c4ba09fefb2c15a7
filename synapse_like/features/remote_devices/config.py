"""The keys of what other servers may know of devices."""

from dataclasses import dataclass

from synapse_like.toolkit.config import option


@dataclass(frozen=True)
class RemoteDevicesConfig:
    """Devices and other servers."""

    allow_device_name_lookup_over_federation: bool = option(
        False, "Tell other servers the names of users' devices along with their keys."
    )
