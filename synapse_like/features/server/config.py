"""The keys of the server's public face."""

from dataclasses import dataclass
from typing import Any

from synapse_like.toolkit.config import option


@dataclass(frozen=True)
class WellKnownConfig:
    """What the well-known files say."""

    admin_contact: str | None = option(None, "How users reach the administrator, mailto:admin@example.com")
    extra_well_known_client_content: dict[str, Any] = option(
        {}, "Further content of /.well-known/matrix/client, as clients document it."
    )
    default_identity_server: str | None = option(None, "The identity server that clients are told of.")
    support_page: str | None = option(None, "A page that helps users, told at /.well-known/matrix/support.")
