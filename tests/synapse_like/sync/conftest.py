"""A whole server on each database, and one of several processes."""

from tests.kit.group import group
from tests.kit.homeserver import server

__all__ = ["group", "server"]
