"""A room on both sides of the border that a third server watches over: both ask it, and believe its signature."""

import json
import re
import ssl
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from twisted.internet.threads import deferToThread

from synapse_like.matrix.events import Event, event_id_of_pdu
from synapse_like.matrix.hashes import content_hash
from synapse_like.matrix.policy_servers import POLICY_KEY_ID
from synapse_like.matrix.room_versions import RoomVersion, room_version
from synapse_like.matrix.signatures import sign_event
from synapse_like.matrix.signing_keys import SigningKey
from tests.federation.sides import Border, Side, join, person, room_path, wait_for_bodies
from tests.kit import certificates
from tests.kit.remote_server import RemoteServer, Seen, listening

_ORIGIN = re.compile(r'origin="?([^",]+)')
POLICY_KEY = SigningKey.from_seed("policy_server", b"p" * 32)


@pytest.mark.parametrize("version", ["10", "12"])
async def test_both_sides_ask_the_rooms_policy_server(border: Border, version: str, tmp_path: Path) -> None:
    async with listening(tmp_path) as police:
        watch = Watch(police, room_version(version))
        await deferToThread(_walk, border, watch, version)


class Watch:
    """A policy server that refuses what says spam. `asked` are the senders and texts it was asked about, by whom."""

    def __init__(self, server: RemoteServer, version: RoomVersion) -> None:
        self.server = server
        self.user_id = f"@officer:{server.name}"
        self.version = version
        self.asked: dict[tuple[str, str], set[str]] = {}
        server.answers["/_matrix/federation/v1/send/"] = lambda seen: {"pdus": {}}
        server.answers["/_matrix/policy/v1/sign"] = self._sign

    def join(self, room_id: str, side: Side) -> None:
        """Let the officer join a public room, by the handshake that any server goes through."""
        path = f"/_matrix/federation/v1/make_join/{quote(room_id)}/{quote(self.user_id)}?ver={self.version.identifier}"
        pdu = self._ask(side, "GET", path)["event"]
        pdu["hashes"] = {"sha256": content_hash(pdu)}
        key = SigningKey.from_seed(self.server.key_version, bytes(self.server.signing_key))
        pdu = sign_event(pdu, self.version, self.server.name, key)
        event_id = event_id_of_pdu(pdu, self.version)
        self._ask(side, "PUT", f"/_matrix/federation/v2/send_join/{quote(room_id)}/{quote(event_id)}", pdu)

    def _ask(self, side: Side, method: str, target: str, body: Any = None) -> Any:
        host, _, port = side.server_name.partition(":")
        context = ssl.create_default_context(cafile=str(certificates.authority_file()))
        connection = HTTPSConnection(host, int(port), timeout=30, context=context)
        headers = {"Authorization": self.server.authorization(method, target, body, side.server_name)}
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        assert reply.status == 200, answer
        return answer

    def _sign(self, seen: Seen) -> Any:
        event = Event.from_pdu(seen.json, self.version)
        asker = _ORIGIN.search(seen.headers["authorization"])
        assert asker is not None
        self.asked.setdefault((event.sender, event.content.get("body", event.type)), set()).add(asker[1])
        if event.content.get("body") == "spam":
            return 400, {"errcode": "M_FORBIDDEN", "error": "No spam"}
        signed = sign_event({**event.pdu, "signatures": {}}, self.version, self.server.name, POLICY_KEY)
        return {self.server.name: {POLICY_KEY_ID: signed["signatures"][self.server.name][POLICY_KEY_ID]}}


def _walk(border: Border, watch: Watch, version: str) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    room_id = alice.create_room(preset="public_chat", room_version=version)
    watch.join(room_id, border.host)
    policy = {"via": watch.server.name, "public_keys": {"ed25519": POLICY_KEY.verify_key.to_base64()}}
    alice.call("PUT", room_path(room_id, "state", "m.room.policy", ""), policy)
    join(bob, room_id, border.host.server_name)
    for client in (alice, bob):
        client.send(room_id, f"ham of {client.user_id}", "ham")
        spam = {"msgtype": "m.text", "body": "spam"}
        _, reply = client.request("PUT", room_path(room_id, "send", "m.room.message", "spam"), spam)
        assert reply.get("errcode") == "M_FORBIDDEN"
    for client in (alice, bob):
        wait_for_bodies(client, room_id, {f"ham of {each.user_id}" for each in (alice, bob)})
        own_server = client.user_id.partition(":")[2]
        assert watch.asked[client.user_id, f"ham of {client.user_id}"] == {own_server}, "who receives it does not ask"
