"""Fixtures of the replication tests."""

from tests.kit.databases import database

__all__ = ["database"]
