"""Fixtures of the replication tests."""

from collections.abc import AsyncIterator

import pytest

from synapse_like.toolkit.db import Database
from tests.kit.databases import database
from tests.replication.notes import Site

__all__ = ["database"]


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    """A site that has started on an empty database."""
    yield await Site(database).start()
