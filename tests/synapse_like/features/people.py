"""A server of some features in which everybody is logged in at once: the access token is the user's name.

For tests of what belongs to users. Rooms are made by the spine, joins by the feature of memberships.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from synapse_like.catalogue import FEDERATION
from synapse_like.features import (
    account_data,
    accounts,
    directory,
    filters,
    membership,
    mutual_rooms,
    openid,
    profile,
    server,
    voip,
)
from synapse_like.features.accounts import Accounts, Applicant
from synapse_like.features.membership import Membership
from synapse_like.features.profile import Profiles, ProfileSpread
from synapse_like.matrix.errors import UnknownToken
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.families import USER, fresh_shard
from synapse_like.rooms.front import Draft
from synapse_like.toolkit.config import load
from synapse_like.toolkit.feature import Built, Feature, Kit
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester
from tests.kit.homeserver import TestServer, settings
from workers.build import Homeserver, build_kit
from workers.settings import SECTIONS

MODULES = (server, accounts, directory, membership, profile, filters, account_data, openid, voip, mutual_rooms)


class Names:
    """Knows everybody by name. `kinds` gives some a special standing (`is_admin=True`, ...)."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, Any]] = {}

    async def authenticate(self, token: str, request: Request[Any]) -> Requester:
        if not token.isalnum():
            raise UnknownToken()
        user_id = f"@{token}:test"
        shard = fresh_shard(USER, user_id)
        return Requester(user_id=user_id, device_id="DEVICE", shard=shard, **self.kinds.get(token, {}))


def _build(kit: Kit) -> Built:
    return Built(fronts=[Names()])


FEATURES = (*FEDERATION, *(module.FEATURE for module in MODULES), Feature(name="names", build=_build, package="tests"))


class People(TestServer):
    """The server, and what its people do."""

    @property
    def names(self) -> Names:
        found: Names = self.homeserver.front(Names)
        return found

    @property
    def profiles(self) -> Profiles:
        found: Profiles = self.homeserver.front(Profiles)
        return found

    @property
    def spread(self) -> ProfileSpread:
        found: ProfileSpread = self.homeserver.front(ProfileSpread)
        return found

    async def register(self, name: str, **kind: Any) -> str:
        self.names.kinds[name] = kind
        applicant = Applicant(user_id=f"@{name}:test", **{k: v for k, v in kind.items() if k == "is_guest"})
        await self.homeserver.front(Accounts).register(applicant)
        return name

    async def sync(self, token: str, since: str | None = None, **query: Any) -> Any:
        """One sync that has heard of everything."""
        await self.caught_up()
        return await super().sync(token, since, **query)

    async def found_room(self, name: str) -> str:
        """A public room of version 12 with its founder."""
        sender = f"@{name}:test"
        create = Draft(type="m.room.create", sender=sender, state_key="", content={"room_version": "12"})
        join = Draft(type="m.room.member", sender=sender, state_key=sender, content={"membership": "join"})
        rules = Draft(type="m.room.join_rules", sender=sender, state_key="", content={"join_rule": "public"})
        return await self.rooms.creation.found_room(room_version("12"), None, create, [join, rules])

    async def enter(self, name: str, room_id: str) -> None:
        """Join a room."""
        await self.homeserver.front(Membership).join(Requester(user_id=f"@{name}:test"), room_id)
        await self.caught_up()

    async def leave(self, name: str, room_id: str) -> None:
        """Leave a room."""
        await self.homeserver.front(Membership).leave(f"@{name}:test", room_id)
        await self.caught_up()

    async def say(self, name: str, room_id: str, text: str) -> str:
        """Send a message; its event id."""
        content = {"msgtype": "m.text", "body": text}
        return await self.rooms.creation.send(
            room_id, Draft(type="m.room.message", sender=f"@{name}:test", content=content)
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, turn by turn of the reactor."""
        while not is_so():
            await self.homeserver.kit.clock.sleep(0)


async def start(path: Path) -> People:
    """A started server of a configuration file."""
    sections = dict.fromkeys([*SECTIONS, *(config for feature in FEATURES for config in feature.configs)])
    homeserver = Homeserver(build_kit(load([path], list(sections)), reactor), FEATURES)
    await homeserver.start()
    return People(homeserver)


@pytest.fixture(params=["sqlite", "postgresql"])
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[People]:
    """The server on each database; `@pytest.mark.config(key=value)` changes its configuration."""
    mark = request.node.get_closest_marker("config")
    settings(request.param, tmp_path, mark.kwargs if mark else {})
    started = await start(tmp_path / "homeserver.yaml")
    yield started
    await started.homeserver.stop()
