"""Whose certificates are believed: the keys `federation_verify_certificates` and its neighbours."""

from pathlib import Path
from typing import Any

from synapse_like.federation.config import FederationConfig
from synapse_like.federation.policy import NamePatterns
from synapse_like.toolkit.http.outgoing.tls import ClientTls


class FederationTls:
    """TLS with other servers: checked, unless the configuration says otherwise for a name."""

    def __init__(self, config: FederationConfig) -> None:
        """Read the authorities. Raises OSError or ValueError."""
        minimum = config.federation_client_minimum_tls_version
        files = [Path(name) for name in config.federation_custom_ca_list]
        self._checked = ClientTls(minimum=minimum, authorities=files)
        self._unchecked = ClientTls(minimum=minimum, verifies=False)
        self._is_checked = config.federation_verify_certificates
        self._exceptions = NamePatterns(config.federation_certificate_verification_whitelist, any_port=True)

    def peer(self, name: str) -> Any:
        """Return what Twisted connects with to a peer that must prove to be `name`."""
        is_checked = self._is_checked and not self._exceptions.match(name)
        return (self._checked if is_checked else self._unchecked).peer(name)
