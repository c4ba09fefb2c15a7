"""Fixtures of the spine."""

from tests.kit.databases import database

__all__ = ["database"]
