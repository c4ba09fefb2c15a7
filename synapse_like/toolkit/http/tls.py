"""TLS for a listener: a certificate chain and its key, from files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from twisted.internet.ssl import CertificateOptions, TLSVersion


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificate and key are, both in PEM form."""

    certificate: Path
    """The server's own certificate first, then the intermediate ones."""
    private_key: Path


def tls_options(files: TlsFiles) -> Any:
    """Return what Twisted listens with: this certificate, TLS 1.2 and newer.

    Raises OSError or ValueError if the files cannot be used.
    """
    own, *chain = load_pem_x509_certificates(files.certificate.read_bytes())
    key: Any = load_pem_private_key(files.private_key.read_bytes(), password=None)
    certificate: Any = own  # Twisted's annotations still name OpenSSL's older classes
    intermediate: list[Any] = list(chain)
    return CertificateOptions(key, certificate, extraCertChain=intermediate, raiseMinimumTo=TLSVersion.TLSv1_2)
