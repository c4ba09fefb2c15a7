"""TLS for a listener: a certificate chain and its key, from files."""

from dataclasses import dataclass
from pathlib import Path

from OpenSSL import SSL


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificate and key are, both in PEM form."""

    certificate: Path
    """The server's own certificate first, then the intermediate ones."""
    private_key: Path


class TlsContext:
    """What Twisted asks for a context of each connection; TLS 1.2 and newer."""

    isClient = False  # noqa: N815 (Twisted's name)

    def __init__(self, files: TlsFiles) -> None:
        """Read the files. Raises OSError or OpenSSL.SSL.Error if they cannot be used."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.use_certificate_chain_file(str(files.certificate))
        context.use_privatekey_file(str(files.private_key))
        context.check_privatekey()
        self._context = context

    def getContext(self) -> SSL.Context:  # noqa: N802 (Twisted's name)
        """Return the context."""
        return self._context
