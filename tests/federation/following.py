"""A client of our server that follows along by /sync, to compare what it knows with what a new one is told."""

from collections.abc import Iterable
from typing import Any

from tests.kit.client import Client
from tests.kit.sync_client import SyncClient, differences


class Follower:
    """Syncs on now and then, and keeps what it is told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known = _blank(client)

    def catch_up(self) -> None:
        """Sync until nothing is new."""
        for _ in range(50):
            response = self._client.sync(self._known.since)
            self._known.take(response)
            if not response.get("rooms"):
                return

    def differences(self) -> list[str]:
        """Where it differs from a client that has just begun."""
        fresh = _blank(self._client)
        fresh.take(self._client.sync())
        return differences(self._known, fresh, set())


def follow(followers: Iterable[Follower]) -> None:
    """Let all of them catch up."""
    for follower in followers:
        follower.catch_up()


def _blank(client: Client) -> SyncClient:
    nowhere: Any = None
    return SyncClient(nowhere, client.token or "")
