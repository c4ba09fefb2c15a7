"""Certificates that are believed, and those that are not; versions of TLS."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from twisted.internet.ssl import CertificateOptions, TLSVersion

from synapse_like.matrix.errors import ConnectionFailed
from tests.kit import certificates, names
from tests.kit.remote_server import listening
from tests.synapse_like.federation.servers import parts

PATH = "/_matrix/federation/v1/version"


def options(issued: trustme.LeafCert, **more: Any) -> Any:
    """What a listener with this certificate listens with."""
    own, *chain = load_pem_x509_certificates(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key: Any = load_pem_private_key(issued.private_key_pem.bytes(), None)
    certificate: Any = own
    rest: list[Any] = list(chain)
    return CertificateOptions(key, certificate, extraCertChain=rest, **more)


def trusted(*hosts: str, **more: Any) -> trustme.LeafCert:
    """A certificate of the authority that the tests trust."""
    return certificates.authority().issue_cert(*hosts, **more)


async def works(host: str, tls: Any, folder: Path, **keys: Any) -> bool:
    """Whether a request to that host, which has that certificate, is answered."""
    async with names.serving() as zone, listening(folder, name="x", tls=tls) as server:
        zone.addresses[host.lower()] = ["127.0.0.1"]
        server.answers[PATH] = lambda seen: {}
        our = parts(zone.port, **keys)
        try:
            answer = await our.client.get(f"{host}:{server.port}", PATH)
        except ConnectionFailed:
            assert server.seen == []
            return False
        finally:
            our.pool.close()
        return bool(answer == {})


@pytest.mark.parametrize(
    ("host", "hosts", "is_believed"),
    [
        ("a.example", ["a.example"], True),
        ("A.Example", ["a.example"], True),
        ("a.b.example", ["*.b.example"], True),
        ("a.example", ["b.example", "a.example"], True),
        ("a.example", ["b.example"], False),
        ("a.b.c.example", ["*.c.example"], False),
        ("b.example", ["*.b.example"], False),
        ("a.example", ["*.example"], False),
        ("a.example", ["127.0.0.1"], False),
        ("127.0.0.1", ["127.0.0.1"], True),
        ("127.0.0.1", ["127.0.0.2"], False),
        ("127.0.0.1", ["a.example"], False),
        ("xn--bcher-kva.example", ["bücher.example"], True),
    ],
)
async def test_names(tmp_path: Path, host: str, hosts: list[str], is_believed: bool) -> None:
    assert await works(host, options(trusted(*hosts)), tmp_path) is is_believed


@pytest.mark.parametrize("kind", ["unknown authority", "expired"])
async def test_certificates_that_are_not_good(tmp_path: Path, kind: str) -> None:
    if kind == "expired":
        issued = trusted("a.example", not_after=datetime.now(UTC) - timedelta(days=1))
    else:
        issued = trustme.CA().issue_cert("a.example")
    tls = options(issued)
    assert not await works("a.example", tls, tmp_path)
    assert await works("a.example", tls, tmp_path, federation_verify_certificates=False)
    for patterns, is_meant in (("a.example",), True), (("*.example",), True), (("b.example",), False):
        keys = {"federation_certificate_verification_whitelist": patterns}
        assert await works("a.example", tls, tmp_path, **keys) is is_meant


async def test_the_authorities_of_the_system_are_not_trusted_beside_our_own(tmp_path: Path) -> None:
    """Nor is ours trusted where none are given."""
    tls = options(trusted("a.example"))
    assert not await works("a.example", tls, tmp_path, federation_custom_ca_list=())


@pytest.mark.parametrize(
    ("minimum", "highest", "is_spoken"),
    [
        ("1.2", TLSVersion.TLSv1_2, True),
        ("1.3", TLSVersion.TLSv1_2, False),
        ("1.3", TLSVersion.TLSv1_3, True),
        ("1", TLSVersion.TLSv1_2, True),
        ("1.1", TLSVersion.TLSv1_3, True),
    ],
)
async def test_versions(tmp_path: Path, minimum: str, highest: Any, is_spoken: bool) -> None:
    tls = options(trusted("a.example"), insecurelyLowerMinimumTo=TLSVersion.TLSv1_2, lowerMaximumSecurityTo=highest)
    keys = {"federation_client_minimum_tls_version": minimum}
    assert await works("a.example", tls, tmp_path, **keys) is is_spoken


async def test_no_tls_at_all(tmp_path: Path) -> None:
    """A server that speaks no TLS gets no request."""
    async with names.serving() as zone, listening(tmp_path, name="x") as server:
        our = parts(zone.port)
        with pytest.raises(ConnectionFailed):
            await our.client.get(f"127.0.0.1:{zone.port}", PATH, timeout_s=5)
        assert server.seen == []
