"""Fixtures of the tests of a whole server."""

from tests.kit.group import group
from tests.kit.homeserver import server

__all__ = ["group", "server"]
