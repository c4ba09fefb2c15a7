"""Registration by whoever knows the shared secret: the command line, and the tools of administrators.

The protocol is Synapse's: fetch a nonce, send it back with the account and an HMAC-SHA1 over all of it.
"""

from typing import Any

import msgspec

from synapse_like.features.accounts import Passwords
from synapse_like.features.registration.api import WRITES
from synapse_like.features.registration.logic import Registration, SharedSecretProof
from synapse_like.features.sessions import Sessions, SessionWish
from synapse_like.matrix.errors import InvalidParam
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import admin
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.texts import checked_text

_USER_TYPES = (None, "bot", "support")
_MAX_LENGTH = 512


class SharedSecretBody(msgspec.Struct):
    """The body of POST /_synapse/admin/v1/register."""

    nonce: str
    username: str
    password: str
    mac: str
    admin: bool = False
    user_type: str | None = None
    displayname: str | None = None
    inhibit_login: bool = False


class SharedSecretApi:
    """The endpoints."""

    def __init__(self, registration: Registration, sessions: Sessions, passwords: Passwords) -> None:
        self._registration = registration
        self._sessions = sessions
        self._passwords = passwords

    @endpoint("GET", admin("/register"), auth=Auth.NONE)
    async def nonce(self, request: Request[Any]) -> dict[str, Any]:
        """A nonce for one registration."""
        return {"nonce": await self._registration.nonce()}

    @endpoint("POST", admin("/register"), auth=Auth.NONE, body=SharedSecretBody, writes=WRITES)
    async def register(self, request: Request[SharedSecretBody]) -> dict[str, Any]:
        """Make an account."""
        body = request.body
        for name, text in (("nonce", body.nonce), ("username", body.username), ("displayname", body.displayname or "")):
            checked_text(name, text, _MAX_LENGTH)
        self._passwords.check_new(body.password)
        if body.user_type not in _USER_TYPES:
            raise InvalidParam("user_type must be bot or support, if it is given")
        proof = SharedSecretProof(
            nonce=body.nonce,
            username=body.username,
            password=body.password,
            is_admin=body.admin,
            user_type=body.user_type,
            mac=body.mac,
        )
        user_id = await self._registration.register_by_secret(proof, body.displayname)
        home_server = user_id.partition(":")[2]
        if body.inhibit_login:
            return {"user_id": user_id, "home_server": home_server}
        session = await self._sessions.open(user_id, SessionWish())
        return {"user_id": user_id, "home_server": home_server, "device_id": session.device_id, **session.as_json()}
