"""Another homeserver, as far as tests need one: a key, a signature, and a TLS host on loopback that answers.

Written apart from the product (Twisted's own web server, signedjson), so that both cannot be wrong in the same way.
"""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signedjson.key import encode_verify_key_base64, generate_signing_key, get_verify_key
from signedjson.sign import sign_json
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from synapse_like.toolkit.http.tls import TlsFiles, tls_options
from tests.kit import certificates

DAY_MS = 24 * 60 * 60 * 1000

Answering = Callable[["Seen"], Any]
"""Gives the JSON of a 200, a (status, JSON or bytes) pair, or NOT_DONE_YET to leave the caller waiting."""


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    request: Any
    client_port: int = 0
    """The port at the other end: the same for all requests of a connection."""
    server_name_indication: str | None = None
    """The name that the client asked for in its TLS handshake."""

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass
class RemoteServer:
    """A server with one signing key. `answers` maps the beginning of a path to what answers it."""

    name: str
    key_version: str = "r1"
    signing_key: Any = None
    seen: list[Seen] = field(default_factory=list)
    answers: dict[str, Answering] = field(default_factory=dict)
    port: int = 0

    def __post_init__(self) -> None:
        self.signing_key = self.signing_key or generate_signing_key(self.key_version)
        self.answers.setdefault("/_matrix/key/v2/server", lambda seen: self.key_document())

    @property
    def key_id(self) -> str:
        """Algorithm and version of the key."""
        return f"{self.signing_key.alg}:{self.signing_key.version}"

    @property
    def public_key(self) -> str:
        """The key that others verify with, in base64."""
        return str(encode_verify_key_base64(get_verify_key(self.signing_key)))

    def signed(self, value: dict[str, Any]) -> dict[str, Any]:
        """A copy of an object with our signature."""
        return dict(sign_json(json.loads(json.dumps(value)), self.name, self.signing_key))

    def key_document(self, **changes: Any) -> dict[str, Any]:
        """What we publish about our key; `changes` are made before it is signed."""
        document = {
            "server_name": self.name,
            "valid_until_ts": int(time.time() * 1000) + DAY_MS,
            "verify_keys": {self.key_id: {"key": self.public_key}},
            "old_verify_keys": {},
            **changes,
        }
        return self.signed(document)

    def authorization(self, method: str, target: str, body: Any, destination: str) -> str:
        """The Authorization header of a request that we send."""
        request = {"method": method, "uri": target, "origin": self.name, "destination": destination}
        if body is not None:
            request["content"] = json.loads(body) if isinstance(body, bytes) else body
        signature = self.signed(request)["signatures"][self.name][self.key_id]
        return f'X-Matrix origin="{self.name}",destination="{destination}",key="{self.key_id}",sig="{signature}"'

    def requests_to(self, prefix: str) -> list[Seen]:
        """The requests whose path begins so."""
        return [seen for seen in self.seen if seen.path.startswith(prefix)]


class _Root(Resource):
    """Answers everything."""

    isLeaf = True  # noqa: N815

    def __init__(self, server: RemoteServer) -> None:
        super().__init__()
        self._server = server

    def render(self, request: Any) -> Any:
        headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        name = request.channel.transport.getHandle().get_servername()
        seen = Seen(
            request.method.decode(),
            request.uri.decode(),
            headers,
            request.content.read(),
            request,
            request.getClientAddress().port,
            name.decode() if name is not None else None,
        )
        self._server.seen.append(seen)
        fitting = [prefix for prefix in self._server.answers if seen.path.startswith(prefix)]
        request.setHeader("content-type", "application/json")
        if not fitting:
            request.setResponseCode(404)
            return b'{"errcode":"M_UNRECOGNIZED","error":"?"}'
        answer = self._server.answers[max(fitting, key=len)](seen)
        if answer is NOT_DONE_YET:
            return NOT_DONE_YET
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        request.setResponseCode(status)
        return content if isinstance(content, bytes) else json.dumps(content).encode()


def trusting() -> dict[str, Any]:
    """The keys of homeserver.yaml with which a server trusts the tests' authority and reaches loopback."""
    return {
        "federation_custom_ca_list": [str(certificates.authority_file())],
        "ip_range_whitelist": ["127.0.0.0/8"],
    }


@asynccontextmanager
async def listening(folder: Path, *hosts: str, name: str = "", tls: Any = None) -> AsyncIterator[RemoteServer]:
    """A server on a loopback port, with a certificate for `hosts` (127.0.0.1 if none); its name is its address.

    `tls` is what Twisted listens with, if it is to be something else.
    """
    server = RemoteServer(name or "unknown")
    site = Site(_Root(server))
    site.noisy = False
    options = tls or tls_options(TlsFiles(*certificates.issue(folder, *(hosts or ("127.0.0.1",)))))
    port: Any = reactor.listenSSL(0, site, options, interface="127.0.0.1")
    server.port = port.getHost().port
    if not name:
        server.name = f"127.0.0.1:{server.port}"
    yield server
    await port.stopListening()
