"""GET /voip/turnServer. Source: client-server API, "Voice over IP"; the TURN REST API draft of 2013 for the secret."""

import hmac
from base64 import b64encode
from typing import Any

from synapse_like.features.voip.config import VoipConfig
from synapse_like.matrix.errors import GuestAccessForbidden
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.request import Request


def credentials(config: VoipConfig, user_id: str, now_ms: int) -> tuple[str, str] | None:
    """User name and password for the TURN servers, None if there are none to be had.

    With a shared secret the name says until when (in seconds since 1970) the password is good for whom.
    """
    if config.turn_shared_secret:
        username = f"{(now_ms + config.turn_user_lifetime.ms) // 1000}:{user_id}"
        code = hmac.new(config.turn_shared_secret.value.encode(), username.encode(), "sha1").digest()
        return username, b64encode(code).decode()
    if config.turn_username and config.turn_password:
        return config.turn_username, config.turn_password.value
    return None


class VoipApi:
    """The endpoint."""

    def __init__(self, config: VoipConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock

    @endpoint("GET", client("/voip/turnServer"), auth=Auth.GUEST, is_constant=True)
    async def turn_server(self, request: Request[Any]) -> dict[str, Any]:
        """Where calls may be relayed, and how to be let in; an empty object if nowhere."""
        requester, config = request.requester, self._config
        if requester.is_guest and not config.turn_allow_guests:
            raise GuestAccessForbidden()
        found = credentials(config, requester.user_id, self._clock.now_ms())
        if not config.turn_uris or found is None:
            return {}
        username, password = found
        ttl = config.turn_user_lifetime.ms // 1000
        return {"username": username, "password": password, "ttl": ttl, "uris": config.turn_uris}
