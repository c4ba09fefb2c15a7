"""Listeners: resources, ports in use, Unix sockets, TLS, and whose word about the client's address is believed."""

import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.threads import deferToThread

from synapse_like.toolkit.http import Headers
from synapse_like.toolkit.http.listeners import CannotListen, ListenerSettings, resources_of
from synapse_like.toolkit.http.proxies import TrustedProxies
from synapse_like.toolkit.http.tls import TlsFiles
from tests.synapse_like.toolkit.http.wire_kit import get, serving


@pytest.mark.parametrize(
    ("resources", "served"),
    [({"client"}, {"/hello/x", "/page", "/health"}), ({"static"}, {"/page", "/health"}), ({"metrics"}, {"/health"})],
)
async def test_a_listener_serves_its_resources(resources: set[str], served: set[str]) -> None:
    async with serving(resources=frozenset(resources)) as house:
        for path in ("/hello/x", "/page", "/health"):
            assert (await house.ask(get(path))).status == (200 if path in served else 404)


def test_resources_imply_others() -> None:
    assert resources_of(["client"]) >= {"client", "media", "static", "health"}
    assert resources_of(["federation"]) >= {"federation", "keys", "media", "openid", "health"}
    assert "client" not in resources_of(["federation", "metrics"])


async def test_a_port_in_use_is_named() -> None:
    async with serving() as house:
        port = house.listeners.addresses[0][1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port}: the port is in use"):
            house.listeners.start(ListenerSettings(port=port))


async def test_an_address_that_this_machine_lacks_is_passed_over() -> None:
    async with serving(addresses=("192.0.2.1", "127.0.0.1")) as house:
        assert [address for address, _ in house.listeners.addresses] == ["127.0.0.1"]
        with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
            house.listeners.start(ListenerSettings(port=0, addresses=("192.0.2.1",)))
        with pytest.raises(CannotListen, match="No address"):
            house.listeners.start(ListenerSettings(port=0, addresses=()))


async def test_unix_sockets(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    async with serving(port=None, path=path, mode=0o600, x_forwarded=True) as house:
        assert house.listeners.addresses == [(str(path), 0)]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        answer = await house.ask(get("/hello/x", "X-Forwarded-For: 203.0.113.9"))
        assert answer.json["ip"] == "203.0.113.9"
        assert (await house.ask(get("/hello/x"))).json["ip"] == ""
        with pytest.raises(CannotListen, match="another process"):
            house.listeners.start(ListenerSettings(path=path))
    path.write_text("something else")
    async with serving() as house:
        with pytest.raises(CannotListen, match="a file of that name"):
            house.listeners.start(ListenerSettings(path=path))


def make_certificate(folder: Path) -> TlsFiles:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = TlsFiles(folder / "certificate.pem", folder / "key.pem")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def ask_over_tls(port: int, files: TlsFiles, requests: bytes, replies: int) -> bytes:
    """Return what a server says over TLS, until it has begun so many replies or closes."""
    context = ssl.create_default_context(cafile=str(files.certificate))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(requests)
        read = b""
        while read.count(b"HTTP/1.1 ") < replies and (data := secure.recv(65536)):
            read += data
        return read


async def test_tls(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    async with serving(tls=files) as house:
        port = house.listeners.addresses[0][1]
        requests = get("/hello/x") + get("/download/300000") + get("/hello/y") + b"nonsense\r\n\r\n"
        read = await deferToThread(ask_over_tls, port, files, requests, 4)
        assert read.count(b"HTTP/1.1 200 OK") == 3 and read.count(b"HTTP/1.1 400 ") == 1
        with pytest.raises(CannotListen, match="certificate"):
            house.listeners.start(ListenerSettings(port=0, tls=TlsFiles(tmp_path / "absent", files.private_key)))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("203.0.113.1", ["203.0.113.9"], "203.0.113.1"),
        ("10.1.2.3", ["198.51.100.7, 203.0.113.9, 192.168.1.1"], "203.0.113.9"),
        ("10.1.2.3", ["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("::1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("::1", ["203.0.113.9:443"], "203.0.113.9"),
        ("fe80::1%eth0", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9, unknown, 10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("", ["203.0.113.9"], "203.0.113.9"),
    ],
)
def test_the_client_behind_proxies(peer: str, forwarded: list[str], client: str) -> None:
    headers = Headers([("x-forwarded-for", value) for value in forwarded])
    assert TrustedProxies().client_ip(peer, headers) == client


def test_only_the_named_networks_are_trusted() -> None:
    headers = Headers([("x-forwarded-for", "203.0.113.9")])
    assert TrustedProxies(["192.0.2.0/24"]).client_ip("127.0.0.1", headers) == "127.0.0.1"
    assert TrustedProxies(["192.0.2.0/24"]).client_ip("192.0.2.7", headers) == "203.0.113.9"
    with pytest.raises(ValueError, match="nonsense"):
        TrustedProxies(["nonsense"])


@pytest.mark.parametrize("options", [{}, {"x_forwarded": True, "trusted_proxies": ("192.0.2.0/24",)}])
async def test_forwarded_addresses_are_not_believed_unless_told_so(options: dict[str, Any]) -> None:
    async with serving(**options) as house:
        assert (await house.ask(get("/hello/x", "X-Forwarded-For: 203.0.113.9"))).json["ip"] == "127.0.0.1"
