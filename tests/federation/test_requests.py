"""Signed requests to a real Synapse: it fetches our keys, believes us, and answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from synapse_like.federation import Federation
from synapse_like.federation.client import path_of
from synapse_like.federation.errors import RemoteError
from synapse_like.matrix.errors import IncompatibleRoomVersion, NotFound
from tests.federation.sides import person
from tests.kit import certificates, ports
from tests.kit.homeserver import settings
from tests.kit.remote_server import trusting
from tests.kit.synapse import Partner
from workers.listening import build_server


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """Our server's federation, in this process and listening on loopback."""
    chain, key = certificates.issue(tmp_path, "127.0.0.1")
    port = ports.claim()
    listener = {"port": port, "tls": True, "bind_addresses": ["127.0.0.1"], "resources": [{"names": ["federation"]}]}
    keys = {
        "server_name": f"127.0.0.1:{port}",
        "listeners": [listener],
        "tls_certificate_path": str(chain),
        "tls_private_key_path": str(key),
        **trusting(),
    }
    server = build_server(settings("sqlite", tmp_path, keys), reactor)
    await server.start()
    yield server.homeserver.front(Federation)
    await server.stop()


async def test_it_believes_our_signature(federation: Federation, partner: Partner) -> None:
    alice = await deferToThread(person, partner, "alice")
    path = "/_matrix/federation/v1/query/profile"
    profile = await federation.client.get(partner.server_name, path, {"user_id": alice.user_id, "field": "displayname"})
    assert profile == {"displayname": alice.user_id[1:].partition(":")[0]}
    body: Any = {"device_keys": {alice.user_id: []}}
    found = await federation.client.post(partner.server_name, "/_matrix/federation/v1/user/keys/query", body)
    assert set(found) >= {"device_keys"}
    transaction: Any = {"origin": federation.policy.own_name, "origin_server_ts": 1, "pdus": [], "edus": []}
    assert await federation.client.put(
        partner.server_name, path_of("/_matrix/federation/v1/send", "ü/?1"), transaction
    ) == {"pdus": {}}


async def test_its_refusals_are_read(federation: Federation, partner: Partner) -> None:
    alice = await deferToThread(person, partner, "alice")
    room_id = (await deferToThread(alice.call, "POST", "/_matrix/client/v3/createRoom", {"preset": "public_chat"}))[
        "room_id"
    ]
    join = path_of("/_matrix/federation/v1/make_join", room_id, f"@bob:{federation.policy.own_name}")
    with pytest.raises(RemoteError) as raised:
        await federation.client.get(partner.server_name, join, {"ver": ["1", "2"]})
    assert isinstance(raised.value.passed_on(), IncompatibleRoomVersion)
    offered = await federation.client.get(partner.server_name, join, {"ver": [str(n) for n in range(1, 13)]})
    assert offered["event"]["room_id"] == room_id
    with pytest.raises(RemoteError) as raised:
        path = f"/_matrix/federation/v1/query/directory?room_alias={quote('#none:' + partner.server_name)}"
        await federation.client.get(partner.server_name, path)
    assert isinstance(raised.value.passed_on(), NotFound)
