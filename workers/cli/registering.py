"""``synapse-like register-user``: asks the running server to make an account, with the shared secret as the proof.

The account itself is made by the server, at ``/_synapse/admin/v1/register``.
"""

import argparse
import hashlib
import hmac
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from synapse_like.toolkit.config import Secret, load, option
from synapse_like.toolkit.config.server import Listener, ServerConfig
from workers.cli.passwords import ask_for_password

_PATH = "/_synapse/admin/v1/register"
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class _SharedSecretSection:
    registration_shared_secret: Secret | None = option(None, "")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``register-user``."""
    command = commands.add_parser(
        "register-user",
        help="make an account on the running server",
        description="Make an account on the running server. It proves itself by registration_shared_secret.",
    )
    command.add_argument("user", help="the name, without @ and server")
    command.add_argument(
        "-c", "--config", action="append", required=True, metavar="FILE", help="the homeserver.yaml of the server"
    )
    command.add_argument("-p", "--password", help="asked for if not given; `-` reads one line of standard input")
    command.add_argument("-a", "--admin", action="store_true", help="make the user an administrator of the server")
    command.add_argument("--url", help="where the server listens (default: its first listener for clients)")
    command.set_defaults(run=_register)


def proof(secret: str, nonce: str, user: str, password: str, is_admin: bool) -> str:
    """Return the HMAC that the server expects: SHA-1 over nonce, user, password and kind, with NULs between."""
    parts = [nonce, user, password, "admin" if is_admin else "notadmin"]
    return hmac.new(secret.encode(), "\0".join(parts).encode(), hashlib.sha1).hexdigest()


def _register(chosen: argparse.Namespace) -> int:
    config = load(chosen.config, [ServerConfig, _SharedSecretSection])
    secret = config[_SharedSecretSection].registration_shared_secret
    if secret is None:
        raise OSError("set registration_shared_secret (or ..._path) in the configuration and restart the server")
    password = ask_for_password(chosen.password)
    connection = _connection(chosen.url, config[ServerConfig].listeners)
    nonce = _call(connection, "GET")["nonce"]
    body = {
        "nonce": nonce,
        "username": chosen.user,
        "password": password,
        "admin": chosen.admin,
        "mac": proof(secret.value, nonce, chosen.user, password, chosen.admin),
        "inhibit_login": True,
    }
    made = _call(connection, "POST", body)
    print(f"Made {made.get('user_id', chosen.user)}{', an administrator' if chosen.admin else ''}.")
    return 0


def _call(connection: HTTPConnection, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the server's JSON. Raises OSError with the server's own words for anything but success."""
    try:
        encoded = json.dumps(body).encode() if body is not None else None
        connection.request(method, _PATH, encoded, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
    except ConnectionError as error:
        raise OSError(f"no server answers at {connection.host}:{connection.port}; is it running? ({error})") from error
    except HTTPException as error:
        raise OSError(f"what answers at {connection.host}:{connection.port} is no HTTP server: {error!r}") from error
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise OSError(f"what answers there is no Matrix server: {reply.status} {reply.reason}")
    if reply.status != 200:
        raise OSError(f"the server refused: {answer.get('error', reply.reason)} ({reply.status})")
    return answer


def _connection(url: str | None, listeners: Sequence[Listener]) -> HTTPConnection:
    if url is None:
        return _connection_to(_listener_for_clients(listeners))
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    if not parts.hostname:
        raise OSError(f"{url} is no address such as http://localhost:8008")
    return kind(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)


def _connection_to(listener: Listener) -> HTTPConnection:
    if listener.path is not None:
        return _UnixConnection(listener.path)
    (host, *_rest) = listener.addresses or ("127.0.0.1",)
    local = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    kind = HTTPSConnection if listener.tls else HTTPConnection
    return kind(local, listener.port, timeout=_TIMEOUT_SECONDS)


def _listener_for_clients(listeners: Sequence[Listener]) -> Listener:
    for listener in listeners:
        if "client" in listener.resource_names:
            return listener
    raise OSError("no listener of the configuration serves clients; give --url")


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
