"""A server of the features that read rooms. An access token is the user's name; rooms are made by the spine."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet import reactor

from synapse_like.catalogue import FEDERATION
from synapse_like.features import account_data, accounts, filters, history, legacy_sync, room_state
from synapse_like.features import server as server_feature
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.families import USER, fresh_shard
from synapse_like.rooms.front import Draft
from synapse_like.toolkit.config import load
from synapse_like.toolkit.feature import Built, Feature, Kit
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester
from tests.kit.homeserver import Answer, TestServer, settings
from workers.build import Homeserver, build_kit
from workers.settings import SECTIONS


class Names:
    """Knows everybody by name; guests' names begin so."""

    async def authenticate(self, token: str, request: Request[Any]) -> Requester:
        name, _, device = token.partition("/")
        user_id = f"@{name}:test"
        shard = fresh_shard(USER, user_id)
        return Requester(user_id, device_id=device or "PHONE", is_guest=name.startswith("guest"), shard=shard)


def _build(kit: Kit) -> Built:
    return Built(fronts=[Names()])


FEATURES = (
    server_feature.FEATURE,
    *FEDERATION,
    accounts.FEATURE,
    filters.FEATURE,
    account_data.FEATURE,
    history.FEATURE,
    room_state.FEATURE,
    legacy_sync.FEATURE,
    Feature(name="names", build=_build, package="tests"),
)


class Readers(TestServer):
    """The server, and what its people do and read."""

    async def found_room(self, visibility: str | None = None, version: str = "12") -> str:
        """A public room of Alice's."""
        drafts = [
            _state("alice", "m.room.member", {"membership": "join", "displayname": "Alice"}, "@alice:test"),
            _state("alice", "m.room.join_rules", {"join_rule": "public"}),
        ]
        if visibility is not None:
            drafts.append(_state("alice", "m.room.history_visibility", {"history_visibility": visibility}))
        content = {"room_version": version, **({} if version == "12" else {"creator": "@alice:test"})}
        room_id = None if version == "12" else "!old:test"
        create = _state("alice", "m.room.create", content)
        return await self.rooms.creation.found_room(room_version(version), room_id, create, drafts)

    async def say(self, name: str, room_id: str, text: str, transaction: str | None = None, **content: Any) -> str:
        """Send a message, by default from the device PHONE with a transaction id if one is given."""
        content = {"msgtype": "m.text", "body": text, **content}
        key = None if transaction is None else (f"@{name}:test", "PHONE", transaction)
        draft = Draft(type="m.room.message", sender=f"@{name}:test", content=content)
        return await self.rooms.creation.send(room_id, draft, transaction=key)

    async def set(self, name: str, room_id: str, kind: str, content: Mapping[str, Any], state_key: str = "") -> str:
        """Send state."""
        return await self.rooms.creation.send(room_id, _state(name, kind, content, state_key))

    async def become(self, name: str, room_id: str, membership: str, *, by: str | None = None) -> str:
        """Change a membership."""
        content = {"membership": membership}
        return await self.set(by or name, room_id, "m.room.member", content, f"@{name}:test")

    async def redact(self, name: str, room_id: str, event_id: str) -> str:
        """Redact an event."""
        draft = Draft(type="m.room.redaction", sender=f"@{name}:test", content={}, redacts=event_id)
        return await self.rooms.creation.send(room_id, draft)

    async def get(self, name: str, room_id: str, path: str, **query: Any) -> Any:
        """The answer to GET below a room, which must succeed."""
        return await self.ok("GET", f"/rooms/{quote(room_id)}/{path}", token=name, query=_plain(query))

    async def try_get(self, name: str, room_id: str, path: str, **query: Any) -> Answer:
        """The same, as it comes."""
        return await self.request("GET", f"/rooms/{quote(room_id)}/{path}", token=name, query=_plain(query))

    async def bodies(self, name: str, room_id: str, **query: Any) -> list[str]:
        """The bodies of the messages of one page."""
        page = await self.get(name, room_id, "messages", **{"dir": "b", "limit": 100, **query})
        return bodies(page["chunk"])


def bodies(events: list[Any]) -> list[str]:
    """What the messages among some events say."""
    return [event["content"].get("body", "") for event in events if event["type"] == "m.room.message"]


def _plain(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in query.items()}


def _state(name: str, kind: str, content: Mapping[str, Any], state_key: str = "") -> Draft:
    return Draft(type=kind, sender=f"@{name}:test", content=content, state_key=state_key)


@pytest.fixture(params=["sqlite", "postgresql"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Readers]:
    """The server on each database."""
    settings(request.param, tmp_path, {})
    sections = dict.fromkeys([*SECTIONS, *(section for feature in FEATURES for section in feature.configs)])
    config = load([tmp_path / "homeserver.yaml"], list(sections))
    homeserver = Homeserver(build_kit(config, reactor), FEATURES)
    await homeserver.start()
    yield Readers(homeserver)
    await homeserver.stop()
