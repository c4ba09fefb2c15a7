"""Fixtures of the tests of federation."""

import pytest

from tests.kit.homeserver import TestServer, server
from tests.kit.remote_servers import Remotes

__all__ = ["remotes", "server"]


@pytest.fixture
def remotes(server: TestServer) -> Remotes:
    """All other servers."""
    return Remotes(server.homeserver)
