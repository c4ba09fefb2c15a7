"""TLS as a client: whose certificates are believed, and which name the other side must prove."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, platformTrust, trustRootFromCertificates
from zope.interface import implementer

from synapse_like.toolkit.http.outgoing.addresses import is_ip_literal

logger = logging.getLogger(__name__)

_VERSIONS: Final = {
    "1": TLSVersion.TLSv1_0,
    "1.0": TLSVersion.TLSv1_0,
    "1.1": TLSVersion.TLSv1_1,
    "1.2": TLSVersion.TLSv1_2,
    "1.3": TLSVersion.TLSv1_3,
}


class ClientTls:
    """One set of rules for many connections: the authorities are read once."""

    def __init__(self, *, minimum: str = "1.2", authorities: Sequence[Path] = (), verifies: bool = True) -> None:
        """Trust the authorities in the files, or the system's if none are given. Raises OSError or ValueError."""
        version = _VERSIONS[minimum]
        key = "raiseMinimumTo" if version == TLSVersion.TLSv1_3 else "insecurelyLowerMinimumTo"
        self._options: dict[str, Any] = {key: version}
        if verifies:
            self._options["trustRoot"] = _trust_root(authorities)
        self._verifies = verifies
        self._context: SSL.Context | None = None

    def peer(self, name: str) -> Any:
        """Return what Twisted makes connections with to a peer that must prove to be `name` (a host or an address)."""
        if self._context is None:  # only now: it reads all authorities of the system
            self._context = CertificateOptions(**self._options).getContext()
        return _Peer(self._context, name, self._verifies)


@implementer(IOpenSSLClientConnectionCreator)
class _Peer:
    """Makes the TLS part of one connection. The name is sent (SNI) unless it is an address, as RFC 6066 has it."""

    def __init__(self, context: SSL.Context, name: str, verifies: bool) -> None:
        self._context = context
        self._name = name
        self._is_address = is_ip_literal(name)
        self._verifies = verifies

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802, N803
        """Return a new connection; Twisted calls this."""
        connection = SSL.Connection(self._context, None)
        if not self._is_address:
            connection.set_tlsext_host_name(self._name.encode("ascii"))
        if self._verifies:
            connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._check)
        return connection

    def _check(self, _: SSL.Connection, certificate: crypto.X509, error: int, depth: int, is_good: int) -> bool:
        """Say whether a certificate of the chain is good; OpenSSL calls this and cannot take exceptions."""
        if depth != 0 or not is_good:
            return bool(is_good)
        wanted = IPAddress_ID(self._name) if self._is_address else DNS_ID(self._name)
        try:
            verify_service_identity(extract_patterns(certificate), [wanted], [])
        except VerificationError:
            logger.info("The certificate is not one of %s", self._name)
            return False
        except Exception:
            logger.warning("The certificate of %s cannot be read", self._name, exc_info=True)
            return False
        return True


def _trust_root(files: Sequence[Path]) -> Any:
    of_system: Any = platformTrust
    of_certificates: Any = trustRootFromCertificates
    if not files:
        return of_system()
    certificates = [
        Certificate.loadPEM(found.public_bytes(Encoding.PEM))
        for file in files
        for found in load_pem_x509_certificates(file.read_bytes())
    ]
    return of_certificates(certificates)
