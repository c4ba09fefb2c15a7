"""Versions, capabilities, well-known files, health.

Source: client-server API, "API Versions", "Well-known URIs", "Capabilities negotiation".
"""

from typing import Any

from synapse_like.features.server.capabilities import Capabilities
from synapse_like.features.server.config import WellKnownConfig
from synapse_like.matrix.errors import NotFound
from synapse_like.toolkit.config.server import ServerConfig
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request

VERSIONS = ("r0.6.1", "v1.1")
"""From r0.6.1 to the newest version whose mandatory endpoints answer; relations and spaces come with later ones."""

UNSTABLE_FEATURES = {
    "org.matrix.label_based_filtering": True,
    "org.matrix.msc2285.stable": True,
    "org.matrix.msc3771": True,
    "uk.tcpip.msc4133.stable": True,
    "org.matrix.msc4222": True,
    "com.beeper.msc4169": True,
}
"""What clients look for by name because they know it from other servers."""


class ServerApi:
    """The endpoints."""

    def __init__(self, server: ServerConfig, config: WellKnownConfig, capabilities: Capabilities) -> None:
        self._server = server
        self._config = config
        self._capabilities = capabilities

    @endpoint("GET", "/_matrix/client/versions", auth=Auth.OPTIONAL, is_constant=True)
    async def versions(self, request: Request[Any]) -> dict[str, Any]:
        """Which versions of the specification clients may use here."""
        unstable = {**UNSTABLE_FEATURES, **self._capabilities.unstable_features}
        return {"versions": VERSIONS, "unstable_features": unstable}

    @endpoint("GET", client("/capabilities"), auth=Auth.GUEST, is_constant=True)
    async def capabilities(self, request: Request[Any]) -> dict[str, Any]:
        """What this server can do for this user."""
        return {"capabilities": self._capabilities.of(request.requester)}

    @endpoint("GET", "/.well-known/matrix/client", auth=Auth.NONE, is_constant=True)
    async def well_known_client(self, request: Request[Any]) -> dict[str, Any]:
        """Where clients reach this server. Answered only if `public_baseurl` is set."""
        if self._server.public_baseurl is None:
            raise NotFound("public_baseurl is not set")
        found: dict[str, Any] = {"m.homeserver": {"base_url": self._server.public_baseurl}}
        if self._config.default_identity_server:
            found["m.identity_server"] = {"base_url": self._config.default_identity_server}
        return {**found, **self._config.extra_well_known_client_content}

    @endpoint("GET", "/.well-known/matrix/server", auth=Auth.NONE, is_constant=True)
    async def well_known_server(self, request: Request[Any]) -> dict[str, Any]:
        """Where other servers reach this one: on port 443 of its name, if `serve_server_wellknown` is set."""
        if not self._server.serve_server_wellknown:
            raise NotFound("serve_server_wellknown is not set")
        name = self._server.server_name
        has_port = name.rpartition(":")[2].isdigit() and not name.endswith("]")
        return {"m.server": name if has_port else f"{name}:443"}

    @endpoint("GET", "/.well-known/matrix/support", auth=Auth.NONE, is_constant=True)
    async def well_known_support(self, request: Request[Any]) -> dict[str, Any]:
        """Whom to ask for help."""
        found: dict[str, Any] = {}
        if self._config.admin_contact:
            address = self._config.admin_contact.removeprefix("mailto:")
            found["contacts"] = [{"role": "m.role.admin", "email_address": address}]
        if self._config.support_page:
            found["support_page"] = self._config.support_page
        if not found:
            raise NotFound("Neither admin_contact nor support_page is set")
        return found

    @endpoint("GET", "/health", auth=Auth.NONE, resource="health", is_constant=True)
    async def health(self, request: Request[Any]) -> Reply:
        """Whether the process answers."""
        return Reply(200, b"OK", content_type="text/plain; charset=utf-8")
