"""A real proxy with a table of ours in front of stand-ins: two of each kind, and one main."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from synapse_like.toolkit.http.endpoint import Balance, Endpoint
from tests.kit import ports, proxies
from tests.kit.stubs import Stub
from workers.kinds import KINDS, MAIN
from workers.map import endpoints
from workers.routes.command import FORMATS
from workers.routes.plan import Owners, make_plan
from workers.routes.upstreams import address_from, read_upstreams

BY_ORIGIN = Endpoint(
    "PUT", ("/_matrix/federation/v1/example/{transaction_id}",), balance=Balance.ORIGIN, resource="federation"
)
ALL = [*(endpoint for _, endpoint in endpoints()), BY_ORIGIN]
NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    include {folder}/routes.conf;
}}
"""


@dataclass
class Front:
    """The proxy's port, and the stand-ins behind it."""

    form: str
    port: int
    stubs: list[Stub]
    proxy: proxies.Proxy | None = None
    _kept: http.client.HTTPConnection | None = field(default=None)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of one request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply, raw = self._answer(method, target, body, named)
        found = {name.lower(): value for name, value in reply.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json")
        return reply.status, json.loads(raw) if raw and is_json else None, found

    def _answer(self, method: str, target: str, body: bytes, headers: Any) -> tuple[Any, bytes]:
        """Ask by the connection that is kept, or by another if that was closed meanwhile."""
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(http.client.HTTPException, OSError):
                answer = self._exchange(kept, method, target, body, headers)
                self._kept = kept
                return answer
        fresh = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        answer = self._exchange(fresh, method, target, body, headers)
        self._kept = fresh
        return answer

    @staticmethod
    def _exchange(connection: Any, method: str, target: str, body: bytes, headers: Any) -> tuple[Any, bytes]:
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
                connection.request(method, target, body or None, headers)
            reply = connection.getresponse()
            return reply, reply.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            raise

    def who(self, method: str, target: str, **headers: str) -> dict[str, Any]:
        """What the stand-in said that answered."""
        status, said, _ = self.ask(method, target, b"", **headers)
        assert status == 200, (method, target, status, said)
        return dict(said or {})

    def of(self, kind: str) -> list[Stub]:
        """The stand-ins of a kind."""
        return [stub for stub in self.stubs if stub.kind == kind]


def stand_ins() -> list[Stub]:
    """Two of each kind, one of main."""
    kinds = [kind for kind in KINDS if kind.serves_requests]
    return [Stub(kind.name, f"{kind.name}{n}") for kind in kinds for n in ((1,) if kind is MAIN else (1, 2))]


@contextmanager
def fronted(form: str, folder: Path, stubs: list[Stub], owners: Owners | None = None) -> Iterator[Front]:
    """A running proxy in front of these stand-ins. Skips the test, with the reason, if the program cannot be had."""
    port = ports.claim()
    kinds = dict.fromkeys(stub.kind for stub in stubs)
    backends = [f"{kind}={','.join(stub.address for stub in stubs if stub.kind == kind)}" for kind in kinds]
    plan = make_plan(ALL, read_upstreams(backends), [address_from(f"127.0.0.1:{port}")], "/health/ready", owners)
    command = write(form, folder, FORMATS[form](plan))
    front = Front(form, port, stubs)
    front.proxy = proxies.Proxy(command, folder, lambda: _is_up(front))
    try:
        yield front
    finally:
        front.proxy.stop()


def write(form: str, folder: Path, text: str) -> list[str]:
    """Write the proxy's files; the command that runs it."""
    try:
        if form == "haproxy":
            (folder / "haproxy.cfg").write_text(text)
            return [proxies.find_haproxy(), "-db", "-f", str(folder / "haproxy.cfg")]
        if form == "envoy":
            (folder / "envoy.yaml").write_text(text)
            options = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
            return [proxies.find_envoy(), "-c", str(folder / "envoy.yaml"), *options]
        (folder / "routes.conf").write_text(text)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        return [proxies.find_nginx(), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    except proxies.NoProxy as reason:
        pytest.skip(str(reason))


def _is_up(front: Front) -> bool:
    """Whether every kind answers by itself: the proxy has seen that they are well."""
    try:
        found = {front.ask(*each)[1]["kind"] for each in _ONE_OF_EACH_KIND}
    except (OSError, http.client.HTTPException, TypeError):
        return False
    return len(found) == len(_ONE_OF_EACH_KIND)


_ONE_OF_EACH_KIND = (
    ("GET", "/_matrix/client/v3/sync"),
    ("PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1"),
    ("GET", "/_matrix/client/versions"),
)
