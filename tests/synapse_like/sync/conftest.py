"""Fixtures of the sync tests."""

from tests.kit.homeserver import server

__all__ = ["server"]
