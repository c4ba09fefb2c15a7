"""Many other servers in one process: they have keys, join rooms of the measured server, send it events, and count what
it sends them.

Each is an address 127.0.1.n with one common port; all have the same signing key. They answer what a server asks of
others no more than a benchmark needs: keys and transactions. Events are made and signed before anything is measured.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from synapse_like.matrix.events import event_id_of_pdu
from synapse_like.matrix.room_versions import ROOM_VERSIONS
from synapse_like.matrix.signatures import build_event, sign_json
from synapse_like.matrix.signing_keys import SigningKey, encode_base64
from tests.kit import certificates, ports
from tests.kit.peers import Peer

VERSION = "10"
ROOM_VERSION = ROOM_VERSIONS[VERSION]
KEY = SigningKey.from_seed("remote", b"r" * 32)
FED = "/_matrix/federation"
_DAY_MS = 86_400_000


class Remotes:
    """So many servers; ``async with`` listens for all of them."""

    def __init__(self, peer: Peer, folder: Path, count: int) -> None:
        self.peer = peer
        self.port = ports.claim()
        self.addresses = [f"127.0.1.{number + 1}" for number in range(count)]
        self.received = 0
        self.transactions = 0
        self._news = asyncio.Event()
        self._folder = folder
        self._server: asyncio.Server | None = None
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._trust = ssl.create_default_context(cafile=str(certificates.authority_file()))

    @property
    def names(self) -> list[str]:
        """Their server names."""
        return [f"{address}:{self.port}" for address in self.addresses]

    async def __aenter__(self) -> "Remotes":
        chain, key = certificates.issue(self._folder, *self.addresses)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self._server = await asyncio.start_server(self._serve, self.addresses, self.port, ssl=context, backlog=512)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for _reader, writer in self._connections:
            writer.close()

    async def join(self, name: str, user_id: str, room_id: str) -> "Member":
        """Let a user of one of them join a room of the measured server."""
        path = f"{FED}/v1/make_join/{quote(room_id)}/{quote(user_id)}?ver={VERSION}"
        template = (await self.ask(name, "GET", path))["event"]
        template |= {"origin": name, "origin_server_ts": int(time.time() * 1000)}
        event = build_event(template, room_version=ROOM_VERSION, signing_key=KEY, server_name=name)
        pdu = dict(event.pdu)
        joined = await self.ask(name, "PUT", f"{FED}/v2/send_join/{quote(room_id)}/{quote(event.event_id)}", pdu)
        state = {(each["type"], each["state_key"]): event_id_of_pdu(each, ROOM_VERSION) for each in joined["state"]} | {
            ("m.room.member", user_id): event.event_id
        }
        keys = (("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", user_id))
        return Member(name, user_id, room_id, event.event_id, template["depth"] + 1, [state[key] for key in keys])

    async def send(self, name: str, transaction_id: str, pdus: list[dict[str, Any]]) -> None:
        """Send a transaction to the measured server."""
        body = {"origin": name, "origin_server_ts": int(time.time() * 1000), "pdus": pdus}
        reply = await self.ask(name, "PUT", f"{FED}/v1/send/{transaction_id}", body)
        errors = [each for each in reply["pdus"].values() if each]
        if errors:
            raise RuntimeError(f"refused: {errors[0]}")

    async def until_received(self, count: int, seconds: float) -> None:
        """Wait until so many events came from the measured server."""
        async with asyncio.timeout(seconds):
            while self.received < count:
                self._news.clear()
                await self._news.wait()

    async def ask(self, origin: str, method: str, path: str, body: Any = None) -> Any:
        """One signed request to the measured server; the reply must be 200."""
        reader, writer = self._connections.pop() if self._connections else await self._connect()
        raw = b"" if body is None else json.dumps(body).encode()
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.peer.server_name}",
            f"Authorization: {self._authorization(origin, method, path, body)}",
            "Content-Type: application/json",
            f"Content-Length: {len(raw)}",
        ]
        writer.write("\r\n".join([*head, "\r\n"]).encode() + raw)
        first, headers, reply = await _message(reader)
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._connections.append((reader, writer))
        if first.split()[1] != "200":
            raise RuntimeError(f"{method} {path}: {first} {reply[:300]!r}")
        return json.loads(reply)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self.peer.server_name.partition(":")[0]
        port = self.peer.federation_port
        return await asyncio.open_connection("127.0.0.1", port, ssl=self._trust, server_hostname=host, limit=2**26)

    def _authorization(self, origin: str, method: str, path: str, body: Any) -> str:
        request = {"method": method, "uri": path, "origin": origin, "destination": self.peer.server_name}
        signed = sign_json(request if body is None else {**request, "content": body}, origin, KEY)
        ((key_id, signature),) = signed["signatures"][origin].items()
        return f'X-Matrix origin="{origin}",destination="{self.peer.server_name}",key="{key_id}",sig="{signature}"'

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection until it ends."""
        try:
            while True:
                first, headers, body = await _message(reader)
                status, reply = self._answer(first.split()[0], first.split()[1], headers, body)
                raw = json.dumps(reply).encode()
                head = (
                    f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
                )
                writer.write(head.encode() + raw)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.close()

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if path.startswith("/_matrix/key/v2/server"):
            return 200, self._key_document(headers["host"])
        if method == "PUT" and path.startswith(f"{FED}/v1/send/"):
            self.received += len(json.loads(body)["pdus"])
            self.transactions += 1
            self._news.set()
            return 200, {"pdus": {}}
        return 404, {"errcode": "M_NOT_FOUND", "error": "A benchmark has no such thing"}

    def _key_document(self, name: str) -> dict[str, Any]:
        document = {
            "server_name": name,
            "valid_until_ts": int(time.time() * 1000) + _DAY_MS,
            "verify_keys": {KEY.key_id: {"key": encode_base64(bytes(KEY.verify_key.key))}},
            "old_verify_keys": {},
        }
        return sign_json(document, name, KEY)


class Member:
    """A user of another server in a room of the measured one, who can make messages, each on top of the last."""

    def __init__(self, name: str, user_id: str, room_id: str, last: str, depth: int, auth: list[str]) -> None:
        self.last = last
        self._name = name
        self._depth = depth
        self._fields = {"sender": user_id, "room_id": room_id, "type": "m.room.message", "auth_events": auth}

    def message(self, text: str) -> dict[str, Any]:
        """A signed message that nobody has yet."""
        pdu = {
            **self._fields,
            "content": {"msgtype": "m.text", "body": text},
            "origin_server_ts": int(time.time() * 1000),
            "prev_events": [self.last],
            "depth": self._depth,
        }
        event = build_event(pdu, room_version=ROOM_VERSION, signing_key=KEY, server_name=self._name)
        self.last = event.event_id
        self._depth += 1
        made: dict[str, Any] = dict(event.pdu)
        return made


async def _message(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """First line, headers with small letters, and body of a request or response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while length := int((await reader.readline()).partition(b";")[0], 16):
            body += (await reader.readexactly(length + 2))[:-2]
        await reader.readline()
        return first, headers, body
    return first, headers, await reader.readexactly(int(headers.get("content-length", "0")))
