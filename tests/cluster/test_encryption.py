"""Encryption between real clients: the tests of one process, unchanged, with several, and the bus over TCP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.nio.test_encryption import (
    test_the_two_libraries_understand_each_other,
    test_three_devices_understand_each_other,
)
from tests.clients.test_js_sdk_encryption import (
    test_devices_are_verified_restored_and_ended,
    test_every_message_can_be_read_while_keys_change,
)
from tests.kit.cluster import Cluster
from tests.kit.server import Server, watched

__all__ = [
    "test_devices_are_verified_restored_and_ended",
    "test_every_message_can_be_read_while_keys_change",
    "test_the_two_libraries_understand_each_other",
    "test_three_devices_understand_each_other",
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running cluster on an empty database."""
    with watched(Cluster(tmp_path, "tcp")) as running:
        yield running
