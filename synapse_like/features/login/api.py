"""Endpoints of logging in. Source: client-server API, "Login"."""

from typing import Any, Final

import msgspec

from synapse_like.features.login.logic import Gate, PasswordLogin, name_in
from synapse_like.features.login.page import PAGE
from synapse_like.features.sessions import DEVICES, TOKENS, Sessions, SessionWish
from synapse_like.matrix.errors import Forbidden, MissingParam, Unknown
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.reply import Reply, html
from synapse_like.toolkit.http.request import Request

PASSWORD: Final = "m.login.password"


class LoginBody(msgspec.Struct):
    """The body of POST /login."""

    type: str
    identifier: dict[str, Any] | None = None
    user: str | None = None
    password: str | None = None
    device_id: str | None = None
    initial_device_display_name: str | None = None
    refresh_token: bool | None = None

    @property
    def wish(self) -> SessionWish:
        """What is wanted of the session."""
        return SessionWish(self.device_id, self.initial_device_display_name, bool(self.refresh_token))


class LoginApi:
    """The endpoints. `base_url` is told to clients that log in."""

    def __init__(self, login: PasswordLogin, gate: Gate, sessions: Sessions, base_url: str | None) -> None:
        self._login = login
        self._gate = gate
        self._sessions = sessions
        self._well_known = {"m.homeserver": {"base_url": base_url}} if base_url else None

    @endpoint("GET", client("/login"), auth=Auth.NONE, is_constant=True)
    async def flows(self, request: Request[Any]) -> dict[str, Any]:
        """How one can log in."""
        return {"flows": [{"type": PASSWORD}] if self._login.is_enabled else []}

    @endpoint("POST", client("/login"), auth=Auth.NONE, body=LoginBody, writes=(DEVICES.name, TOKENS.name))
    async def log_in(self, request: Request[LoginBody]) -> dict[str, Any]:
        """Open a session."""
        body = request.body
        if body.type != PASSWORD or not self._login.is_enabled:
            raise Unknown(f"This server does not know the login type {body.type[:100]!r}")
        self._gate.check_address(request.client_ip)
        if body.password is None:
            raise MissingParam("A password is needed")
        if body.identifier is None and body.user is None:
            raise MissingParam("An identifier is needed")
        name = name_in(body.identifier, body.user)
        if name is None:
            raise Forbidden("Invalid username or password")
        user_id = await self._login.log_in(name, body.password)
        session = await self._sessions.open(user_id, body.wish)
        found = {
            "user_id": user_id,
            "home_server": user_id.partition(":")[2],
            "device_id": session.device_id,
            **session.as_json(),
        }
        return {**found, "well_known": self._well_known} if self._well_known else found

    @endpoint("GET", "/_matrix/static/client/login", "/_matrix/static/client/login/", auth=Auth.NONE, resource="static")
    async def page(self, request: Request[Any]) -> Reply:
        """The page for clients that cannot log in by themselves."""
        reply = html(PAGE)
        reply.add_header("X-Frame-Options", "DENY")
        return reply
