"""What keys of other servers' users are asked of: federation, when it is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from synapse_like.features.one_time_keys import Claimed, Claims


@dataclass(slots=True)
class RemoteAnswer:
    """Keys of remote users, by user (and device), as JSON values; failures by server: {"status": ..., "message": ...}.

    Devices' keys may hold `unsigned.device_display_name`. A server in `failures` may have some users in the answer
    nevertheless, from a cache.
    """

    device_keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    master_keys: dict[str, Any] = field(default_factory=dict)
    self_signing_keys: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, Any] = field(default_factory=dict)


class RemoteKeys(Protocol):
    """The keys of other servers' users, cached while a room is shared with them."""

    async def query(self, wanted: Mapping[str, Sequence[str]], timeout_ms: int) -> RemoteAnswer:
        """The keys of users (no devices: all). Never raises for what other servers do."""
        ...

    async def claim(self, claims: Claims, timeout_ms: int) -> tuple[Claimed, dict[str, Any]]:
        """One-time keys, and failures by server. Never raises for what other servers do."""
        ...


class NoRemoteKeys:
    """There is no federation: every other server is a failure."""

    async def query(self, wanted: Mapping[str, Sequence[str]], timeout_ms: int) -> RemoteAnswer:
        """Nothing but failures."""
        return RemoteAnswer(failures=_failures(wanted))

    async def claim(self, claims: Claims, timeout_ms: int) -> tuple[Claimed, dict[str, Any]]:
        """Nothing but failures."""
        return {}, _failures(claims)


def _failures(users: Mapping[str, Any]) -> dict[str, Any]:
    servers = {user_id.partition(":")[2] for user_id in users}
    return {server: {"status": 503, "message": "This server does not speak to others"} for server in servers}
