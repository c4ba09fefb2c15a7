"""The partner itself: a Synapse that starts, has users, and answers other servers over TLS."""

import json
import ssl
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.kit import certificates, ports
from tests.kit.crossing import Crossing
from tests.kit.synapse import Partner


def _ask(host: str, port: int, path: str) -> object:
    context = ssl.create_default_context(cafile=str(certificates.authority_file()))
    connection = HTTPSConnection(host, port, timeout=20, context=context)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_the_partner_answers_clients_and_servers(partner: Partner) -> None:
    alice = partner.register("first")
    assert alice.user_id == partner.user_id("first")
    host, port = partner.server_name.split(":")
    said = _ask(host, int(port), "/_matrix/federation/v1/version")
    assert isinstance(said, dict)
    assert said["server"]["name"] == "Synapse"


def test_a_crossing_closes_and_opens(partner: Partner, tmp_path: Path) -> None:
    host, port = partner.server_name.split(":")
    crossing = Crossing(ports.claim(), int(port))
    _ask(host, crossing.port, "/_matrix/key/v2/server")
    crossing.close()
    with pytest.raises(OSError):
        _ask(host, crossing.port, "/_matrix/key/v2/server")
    crossing.open()
    keys = _ask(host, crossing.port, "/_matrix/key/v2/server")
    assert isinstance(keys, dict)
    assert keys["server_name"] == partner.server_name
    crossing.close()
