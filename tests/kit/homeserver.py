"""A whole server in this process, without sockets: requests go straight into its endpoints."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import pytest
import yaml
from twisted.internet import reactor

from replication.sql import all_positions
from synapse_like.features.profile import ProfileSpread
from synapse_like.matrix.signing_keys import SigningKey, write_signing_keys
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.http.app import App
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.router import Router
from tests.kit import postgres
from tests.kit.traffic import Traffic
from workers.build import Homeserver, build_kit
from workers.settings import load_settings

UNLIMITED = {"per_second": 100000, "burst_count": 100000}
RATE_KEYS = (
    "rc_message",
    "rc_registration",
    "rc_admin_redaction",
    "rc_joins_per_room",
    "rc_room_creation",
    "rc_reports",
)


@dataclass(frozen=True)
class Answer:
    """A reply: status, JSON body, headers."""

    status: int
    body: Any
    headers: dict[str, str]


class Signer(Protocol):
    """Another server (`tests.kit.remote_server`)."""

    def authorization(self, method: str, target: str, body: Any, destination: str) -> str:
        """The Authorization header of a request."""


class TestServer:
    """A started homeserver, and a client for it. `queries` collects the text of every statement."""

    __test__ = False

    def __init__(self, homeserver: Homeserver) -> None:
        self.homeserver = homeserver
        self.rooms = homeserver.spine.rooms
        self.queries: list[str] = []
        homeserver.kit.database.observers.append(self.queries.append)
        self._traffic = Traffic.of(homeserver.kit.database)
        self._app = App(Router(homeserver.answers), homeserver.authenticators)

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        query: Mapping[str, Any] | None = None,
        client_ip: str = "10.0.0.1",
        by: Signer | None = None,
    ) -> Answer:
        """Send a request; `path` without `/_matrix` is below `/_matrix/client/v3`. A body of bytes goes as it is.

        `by` signs it as another server.
        """
        if not path.startswith(("/_matrix", "/_synapse", "/.well-known", "/health", "/metrics")):
            path = "/_matrix/client/v3" + path
        target = path + ("?" + urlencode(query) if query else "")
        headers = [("authorization", f"Bearer {token}")] if token else []
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if by is not None:
            headers = [("authorization", by.authorization(method, target, body, self.homeserver.kit.server_name))]
        now_ms = self.homeserver.kit.clock.now_ms()
        request: Request[Any] = Request(method, target, headers, raw, client_ip=client_ip, received_ms=now_ms)
        reply = await self._app.answer(request, self._app.match(method, request.path))
        is_json = reply.content_type == "application/json" and reply.body
        decoded = json.loads(reply.body) if is_json else reply.body
        return Answer(reply.status, decoded, dict(reply.headers))

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The body of a request that must succeed."""
        answer = await self.request(method, path, body, **options)
        assert answer.status == 200, f"{method} {path}: {answer.status} {answer.body}"
        return answer.body

    async def register(self, name: str, **extra: Any) -> str:
        """Register a user; the access token."""
        body = {"username": name, "password": "wordpass-1", "auth": {"type": "m.login.dummy"}, **extra}
        return str((await self.ok("POST", "/register", body))["access_token"])

    async def create_room(self, token: str, **options: Any) -> str:
        """Create a room; its id."""
        return str((await self.ok("POST", "/createRoom", options, token=token))["room_id"])

    async def join(self, token: str, room_id: str) -> None:
        """Join a room."""
        await self.ok("POST", f"/join/{quote(room_id)}", {}, token=token)

    async def send(self, token: str, room_id: str, text: str = "hello", transaction: str = "") -> str:
        """Send a text message; its event id."""
        transaction = transaction or f"t{len(self.queries)}-{text[:20]}"
        path = f"/rooms/{quote(room_id)}/send/m.room.message/{quote(transaction, safe='')}"
        sent = await self.ok("PUT", path, {"msgtype": "m.text", "body": text}, token=token)
        return str(sent["event_id"])

    async def idle(self) -> None:
        """Wait until nothing that was answered is still spreading."""
        await self.homeserver.front(ProfileSpread).idle()

    async def quiet(self) -> None:
        """Wait until nothing that follows on earlier requests asks the database any more.

        Work pauses for less than the 0.03 s waited here, and timers fire in the order in which they are due; what the
        database takes longer for is counted.
        """
        before = -1
        while before != len(self.queries) or self._traffic.is_under_way:
            before = len(self.queries)
            await self.homeserver.kit.clock.sleep(0.03)

    async def rooms_at(self, room_id: str) -> Rooms:
        """The spine of the process that owns a room."""
        return self.rooms

    async def caught_up(self) -> None:
        """Wait until readers have heard of everything that was answered."""
        committed = await self.homeserver.kit.database.read(all_positions)
        reader = self.rooms.reader
        while any(not reader.positions[name].reaches(committed[name]) for name in committed):
            await self.homeserver.kit.clock.sleep(0)

    async def sync(self, token: str, since: str | None = None, **query: Any) -> Any:
        """One sync, without waiting unless `timeout` says so."""
        query = {"timeout": 0, **query, **({"since": since} if since else {})}
        return await self.ok("GET", "/sync", token=token, query=query)


def settings(kind: str, folder: Path, extra: Mapping[str, Any]) -> Any:
    """The configuration of a test server, from a real file."""
    key = folder / "signing.key"
    if not key.exists():
        key.write_text(write_signing_keys([SigningKey.from_seed("a", b"t" * 32)]))
    if kind == "sqlite":
        database = {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}}
    else:
        database = {"name": "psycopg2", "args": {**postgres.create_database(), "cp_max": 5}}
    values = {
        "server_name": "test",
        "report_stats": False,
        "signing_key_path": str(key),
        "macaroon_secret_key": "macaroon",
        "form_secret": "form",
        "registration_shared_secret": "shared",
        "enable_registration": True,
        "enable_registration_without_verification": True,
        "bcrypt_rounds": 4,
        "trusted_key_servers": [],
        "database": database,
        **dict.fromkeys(RATE_KEYS, UNLIMITED),
        "rc_login": {"address": UNLIMITED, "account": UNLIMITED, "failed_attempts": UNLIMITED},
        "rc_joins": {"local": UNLIMITED, "remote": UNLIMITED},
        "rc_invites": {"per_room": UNLIMITED, "per_user": UNLIMITED, "per_issuer": UNLIMITED},
        **extra,
    }
    path = folder / "homeserver.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_settings([path])


async def start(config: Any) -> TestServer:
    """A started server of a configuration."""
    homeserver = Homeserver(build_kit(config, reactor))
    await homeserver.start()
    return TestServer(homeserver)


@pytest.fixture(params=["sqlite", "postgresql"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    """A started server on each database; `@pytest.mark.config(key=value)` changes its configuration."""
    mark = request.node.get_closest_marker("config")
    started = await start(settings(request.param, tmp_path, mark.kwargs if mark else {}))
    yield started
    await started.homeserver.stop()
