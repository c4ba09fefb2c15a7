"""The features that change rooms, in a whole server without accounts: a token is the user's name.

`!name` is an administrator's token, `?name` a guest's.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from synapse_like.catalogue import FEDERATION
from synapse_like.features import accounts, directory, membership, reporting, room_creation, send, server, upgrade
from synapse_like.matrix.filters import Filter
from synapse_like.rooms.families import USER, fresh_shard
from synapse_like.toolkit.feature import Built, Feature, Kit
from synapse_like.toolkit.http import Requester
from tests.kit.homeserver import TestServer, settings
from workers.build import Homeserver, build_kit


class NamesAsTokens:
    """Believes everybody."""

    async def authenticate(self, token: str, request: Any) -> Requester:
        """The user of that name, on the one device there is."""
        name, _, device = token.lstrip("!?").partition("/")
        return Requester(
            f"@{name}:test",
            device_id=device or "DEVICE",
            is_guest=token.startswith("?"),
            is_admin=token.startswith("!"),
            shard=fresh_shard(USER, f"@{name}:test"),
        )


class NoPreferences:
    """What /sync asks about users: nobody ignores anybody."""

    async def ignored_users(self, user_id: str) -> frozenset[str]:
        """Nobody."""
        return frozenset()

    async def stored_filter(self, user_id: str, filter_id: str) -> Filter:
        """Everything."""
        return Filter.parse({})


def build(kit: Kit) -> Built:
    """The authenticator and the preferences."""
    return Built(fronts=(NamesAsTokens(), NoPreferences()))


STAND_IN = Feature(name="names", build=build, package="tests.kit")
FEATURES = (
    server.FEATURE,
    accounts.FEATURE,
    STAND_IN,
    *FEDERATION,
    directory.FEATURE,
    membership.FEATURE,
    send.FEATURE,
    room_creation.FEATURE,
    upgrade.FEATURE,
    reporting.FEATURE,
)


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    """A started server on each database; `@pytest.mark.config(key=value)` changes its configuration."""
    mark = request.node.get_closest_marker("config")
    config = settings(request.param, tmp_path, mark.kwargs if mark else {})
    homeserver = Homeserver(build_kit(config, reactor), FEATURES)
    await homeserver.start()
    yield TestServer(homeserver)
    await homeserver.stop()


async def state_of(house: TestServer, room_id: str) -> dict[tuple[str, str], Any]:
    """The contents of the current state that is not membership."""
    room = await house.rooms.live.get(room_id)
    return {key: live.event.content for key, live in room.state.items()}


async def member_of(house: TestServer, room_id: str, name: str) -> str | None:
    """A user's membership."""
    return (await house.rooms.live.get(room_id)).membership_of(f"@{name}:test")
