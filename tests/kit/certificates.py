"""The certificate authority of a test run: one for all its servers, kept in the run's folder."""

from pathlib import Path

import trustme

from tests.kit import run_folder


def authority_file() -> Path:
    """Return the PEM file that servers must trust."""
    authority()
    return run_folder.path() / "authority.pem"


def issue(folder: Path, *hosts: str) -> tuple[Path, Path]:
    """Write a certificate for these names or addresses into ``folder``; return the files of its chain and its key."""
    issued = authority().issue_cert(*hosts)
    chain, key = folder / "tls.crt", folder / "tls.key"
    chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return chain, key


def authority() -> trustme.CA:
    """Return the authority itself, for certificates of special kinds."""
    with run_folder.locked("authority") as folder:
        certificate, key = folder / "authority.pem", folder / "authority.key"
        if not key.exists():
            made = trustme.CA()
            made.cert_pem.write_to_path(str(certificate))
            made.private_key_pem.write_to_path(str(key))
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
