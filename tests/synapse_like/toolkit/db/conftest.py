"""Fixtures of the database's tests."""

from tests.kit.databases import database

__all__ = ["database"]
