"""A whole server and one that does not mean well: what the property tests of hostile input have in common."""

import logging
import os
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings

from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.room_versions import room_version
from tests.kit.damage import text_of
from tests.kit.homeserver import TestServer
from tests.kit.pair import Net, Pair
from tests.kit.stranger import V1, Stranger

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "40"))
VERSIONS = ["1", "5", "6", "10", "11", "12"]
ENOUGH = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.fixture
async def hostile(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server, and a stranger that it knows."""
    monkeypatch.setattr("synapse_like.federation.inbound.staging.PAUSE_S", 0.0)
    pair = Pair(Net(), tmp_path, "sqlite")
    await pair.start("one")
    scene = Scene(pair)
    await scene.furnish()
    yield scene
    await pair.stop()


class Scene:
    """Alice's rooms on `one`, a room a version, with Xavier of `three` in all of them."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.one: TestServer = pair.servers["one"]
        self.three = Stranger(pair)
        self.alice = ""
        self.rooms: dict[str, str] = {}
        self.sent = 0

    async def furnish(self) -> None:
        self.alice = await self.one.register("alice")
        for version in VERSIONS:
            room_id = await self.one.create_room(self.alice, preset="public_chat", room_version=version)
            await self.three.join(self.one, room_id)
            self.rooms[version] = room_id

    async def send(self, pdus: list[Any], edus: list[Any]) -> tuple[int, Any]:
        """A transaction as text."""
        self.sent += 1
        body = {"origin": "three", "origin_server_ts": 1, "pdus": pdus, "edus": edus}
        return await self.pair.ask("three", "one", "PUT", f"{V1}/send/h{self.sent}", text_of(body))

    async def is_well(self, room_id: str) -> None:
        """Alice sees the room, and can speak in it."""
        await self.one.send(self.alice, room_id, f"still here {self.sent}")
        for path in ("state", "members", "messages"):
            query = {"dir": "b", "limit": 20} if path == "messages" else {}
            await self.one.ok("GET", f"/rooms/{quote(room_id)}/{path}", token=self.alice, query=query)
        await self.one.caught_up()
        await self.one.sync(self.alice)

    async def is_readable(self, room_id: str) -> None:
        """Whatever Alice may still do in the room is no fault of the server's."""
        message = {"msgtype": "m.text", "body": "x"}
        room = f"/rooms/{quote(room_id)}"
        for method, path, body in (
            ("PUT", f"{room}/send/m.room.message/t{self.sent}", message),
            ("PUT", f"{room}/state/m.room.topic/", {"topic": "x"}),
            ("POST", f"{room}/invite", {"user_id": "@nobody:one"}),
            ("GET", f"{room}/state", None),
            ("GET", f"{room}/members", None),
            ("GET", f"{room}/joined_members", None),
            ("GET", f"{room}/messages?dir=b&limit=50", None),
            ("GET", f"/_matrix/client/v1/rooms/{quote(room_id)}/hierarchy", None),
            ("GET", f"/_matrix/client/v1/room_summary/{quote(room_id)}", None),
            ("GET", "/sync?timeout=0", None),
        ):
            answer = await self.one.request(method, path, body, token=self.alice)
            assert answer.status < 500, (path, answer)
        await self.one.caught_up()
        await self.pair.ask("three", "one", "GET", f"{V1}/make_join/{quote(room_id)}/@y:three?ver=1&ver=12")

    def resigned(self, pdu: Any, version: str) -> Any:
        """The PDU with its new hash and signature, if there is any for it."""
        try:
            return self.three.sign(pdu, room_version(version))
        except (MatrixError, AttributeError, TypeError, KeyError, ValueError, RecursionError):
            return pdu


def faults(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """What was logged as our own fault."""
    found = [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    return [(record.getMessage(), record.exc_text) for record in found]
