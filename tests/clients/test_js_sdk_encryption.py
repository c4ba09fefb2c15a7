"""Encryption with matrix-js-sdk; the stories are in ``js-sdk/secrets.mjs``."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.js_sdk import run_scenario
from tests.kit.server import Server, server

__all__ = ["server"]


@pytest.mark.timeout(300)
def test_devices_are_verified_restored_and_ended(server: Server, tmp_path: Path) -> None:
    _check(run_scenario("secrets.mjs", server.url, tmp_path / "js-sdk", "devices"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_dehydrated_device_receives_keys(server: Server, tmp_path: Path) -> None:
    _check(run_scenario("secrets.mjs", server.url, tmp_path / "js-sdk", "dehydrated"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_every_message_can_be_read_while_keys_change(server: Server, tmp_path: Path) -> None:
    _check(run_scenario("secrets.mjs", server.url, tmp_path / "js-sdk", "rotation", "500"))


def _check(seen: dict[str, Any]) -> None:
    """No request was answered with a failure of the server, or is unknown to it where the specification has it."""
    assert [each for each in seen["all"] if each["status"] is not None and each["status"] >= 500] == []
    unknown = [each for each in seen["all"] if each["status"] == 404 and "/keys/" in each["path"]]
    assert [each for each in unknown if "/room_keys/keys/" not in each["path"]] == []
