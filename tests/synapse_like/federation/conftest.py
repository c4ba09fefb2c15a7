"""Fixtures of the tests of federation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.databases import database
from tests.kit.homeserver import TestServer, settings, start
from tests.kit.remote_server import RemoteServer, listening, trusting
from tests.kit.remote_servers import Remotes

__all__ = ["database"]


@pytest.fixture(params=["sqlite", "postgresql"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server on each database that trusts the tests' authority; `@pytest.mark.config(key=value)` changes it."""
    mark = request.node.get_closest_marker("config")
    started = await start(settings(request.param, tmp_path, {**trusting(), **(mark.kwargs if mark else {})}))
    yield started
    await started.homeserver.stop()


@pytest.fixture
async def remote(tmp_path: Path) -> AsyncIterator[RemoteServer]:
    """Another server, at a loopback address."""
    async with listening(tmp_path) as server:
        yield server


@pytest.fixture
def remotes(server: TestServer) -> Remotes:
    """All other servers, without a network."""
    return Remotes(server.homeserver)
