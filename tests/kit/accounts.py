"""What tests of accounts do again and again; and a server on SQLite alone, for what is not about SQL."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from synapse_like.features.accounts import Accounts
from tests.kit.homeserver import Answer, TestServer, settings, start

PASSWORD = "wordpass-1"


@pytest.fixture(name="server")
async def sqlite_server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    """A started server; `@pytest.mark.config(key=value)` changes its configuration."""
    mark = request.node.get_closest_marker("config")
    started = await start(settings("sqlite", tmp_path, mark.kwargs if mark else {}))
    yield started
    await started.homeserver.stop()


def move_clock(server: TestServer, milliseconds: int) -> None:
    """Let the server's time of day jump ahead."""
    clock = server.homeserver.kit.clock
    now_ms = clock.now_ms
    clock.__dict__["now_ms"] = lambda: now_ms() + milliseconds


async def log_in(server: TestServer, name: str, password: str = PASSWORD, **extra: Any) -> Answer:
    """Log in by password."""
    identifier = {"type": "m.id.user", "user": name}
    body = {"type": "m.login.password", "identifier": identifier, "password": password, **extra}
    return await server.request("POST", "/login", body)


async def session(server: TestServer, name: str, **extra: Any) -> Any:
    """Log in, successfully."""
    answer = await log_in(server, name, **extra)
    assert answer.status == 200, answer
    return answer.body


async def is_alive(server: TestServer, token: str) -> bool:
    """Whether a token is good."""
    return (await server.request("GET", "/account/whoami", token=token)).status == 200


def proof(name: str, password: str = PASSWORD, **extra: Any) -> dict[str, Any]:
    """The stage of the password."""
    identifier = {"type": "m.id.user", "user": name}
    return {"type": "m.login.password", "identifier": identifier, "password": password, **extra}


async def make_admin(server: TestServer, name: str) -> str:
    """Register an administrator; the access token."""
    token = await server.register(name)
    await server.homeserver.front(Accounts).set_admin(f"@{name}:test", True)
    return token
