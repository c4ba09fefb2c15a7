"""The keys of federation: with whom this server talks, whom it trusts, and how it proves who it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synapse_like.matrix.errors import InvalidParam
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.matrix.signing_keys import VerifyKey
from synapse_like.toolkit.config import Duration, FilePath, option, required


@dataclass(frozen=True)
class TrustedKeyServer:
    """A server that is asked for the keys of other servers."""

    server_name: str = required("Its name.")
    verify_keys: dict[str, str] = option({}, "Its keys, as key id: base64; nothing means that they are fetched.")
    accept_keys_insecurely: bool = option(False, "Known to Synapse's administrators; replies must always be signed.")


@dataclass(frozen=True)
class OldSigningKey:
    """A public key that this server signed with once."""

    key: str = required("The public key, in base64.")
    expired_ts: int = required("When it was last used, in milliseconds since 1970.")


@dataclass(frozen=True)
class FederationConfig:
    """Federation: talking with other servers."""

    federation_enabled: bool = option(True, "Talk with other servers. If false, nothing is sent to them or taken.")
    federation_domain_whitelist: tuple[str, ...] | None = option(
        None, "The only servers to talk with, if set. An empty list means none."
    )
    federation_domain_blocklist: tuple[str, ...] = option(
        (), "Servers never to talk with; *.example.com means every server whose name ends so."
    )
    federation_verify_certificates: bool = option(True, "Check the TLS certificates of other servers.")
    federation_certificate_verification_whitelist: tuple[str, ...] = option(
        (), "Servers whose certificates are not checked; *.example.com means every server whose name ends so."
    )
    federation_custom_ca_list: tuple[FilePath, ...] = option(
        (), "Files of certificate authorities (PEM) that are trusted instead of the system's."
    )
    federation_client_minimum_tls_version: Literal["1", "1.0", "1.1", "1.2", "1.3"] = option(
        "1.2", "The oldest version of TLS to speak with other servers."
    )
    trusted_key_servers: tuple[TrustedKeyServer, ...] = option(
        (TrustedKeyServer(server_name="matrix.org"),),
        "Servers that are asked for keys of servers which do not answer; the default suits most.",
    )
    suppress_key_server_warning: bool = option(False, "Do not warn that matrix.org is trusted for keys.")
    key_refresh_interval: Duration = option(
        Duration.of("1d"), "How long others may keep our keys before they ask again."
    )
    old_signing_keys: dict[str, OldSigningKey] = option(
        {}, "Keys that this server signed with once, by key id, so that its old events can still be verified."
    )

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        for path in self.federation_custom_ca_list:
            if not Path(path).is_file():
                yield "federation_custom_ca_list", f"there is no file {path}"
        for trusted in self.trusted_key_servers:
            if not is_valid_server_name(trusted.server_name):
                yield "trusted_key_servers", f"{trusted.server_name!r} is no server name"
            yield from _wrong_keys("trusted_key_servers", trusted.verify_keys)
        yield from _wrong_keys("old_signing_keys", {name: old.key for name, old in self.old_signing_keys.items()})


def _wrong_keys(option_name: str, keys: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key_id, text in keys.items():
        try:
            VerifyKey.from_base64(key_id, text)
        except InvalidParam as error:
            yield option_name, error.message
