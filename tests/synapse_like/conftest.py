"""Fixtures of the tests of a whole server."""

from tests.kit.homeserver import server

__all__ = ["server"]
