"""Endpoints of registration. Source: client-server API, "Account registration and management"."""

from dataclasses import dataclass
from typing import Any

import msgspec

from synapse_like.features.accounts import Accounts, Passwords
from synapse_like.features.registration.logic import Registration
from synapse_like.features.registration_tokens import REGISTRATION_TOKEN, RegistrationTokens
from synapse_like.features.sessions import Sessions, SessionWish
from synapse_like.features.uia import DUMMY, Attempt, Uia
from synapse_like.matrix.errors import Forbidden, GuestAccessForbidden, InvalidParam, MissingParam, UserInUse
from synapse_like.toolkit.config.rate_limits import RateLimit, RateLimits
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import client, client_v1
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.ratelimit import RateLimiter

OPERATION = "register"
WRITES = ("accounts", "devices", "tokens")
_QUESTIONS = RateLimit(per_second=2.0, burst_count=20)


class RegisterBody(msgspec.Struct):
    """The body of POST /register."""

    auth: dict[str, Any] | None = None
    username: str | None = None
    password: str | None = None
    device_id: str | None = None
    initial_device_display_name: str | None = None
    inhibit_login: bool | None = None
    refresh_token: bool | None = None

    @property
    def wish(self) -> SessionWish:
        """What is wanted of the first session."""
        return SessionWish(self.device_id, self.initial_device_display_name, bool(self.refresh_token))


@dataclass(frozen=True, slots=True)
class Applications:
    """What is asked on the way from a request to an account."""

    accounts: Accounts
    passwords: Passwords
    sessions: Sessions
    uia: Uia
    tokens: RegistrationTokens


class RegistrationApi:
    """The endpoints."""

    def __init__(
        self, registration: Registration, applications: Applications, limiter: RateLimiter, limits: RateLimits
    ) -> None:
        self._registration = registration
        self._applications = applications
        self._limiter = limiter
        self._limits = limits

    @endpoint("POST", client("/register"), auth=Auth.NONE, body=RegisterBody, writes=WRITES)
    async def register(self, request: Request[RegisterBody]) -> dict[str, Any]:
        """Make an account, or let a guest in."""
        kind = request.query.get("kind", "user")
        if kind == "guest":
            return await self._let_guest_in(request)
        if kind != "user":
            raise InvalidParam("kind must be user or guest")
        if not self._registration.config.enable_registration:
            raise Forbidden("Registration has been disabled on this server")
        body = request.body
        if body.password is not None:
            self._applications.passwords.check_new(body.password)
        attempt = await self._prove(request, body)
        user_id = await (self._repeat(body, attempt.result) if attempt.result else self._make(request, body, attempt))
        return await self._reply(user_id, body)

    @endpoint("GET", client("/register/available"), auth=Auth.NONE)
    async def available(self, request: Request[Any]) -> dict[str, Any]:
        """Whether a name is free."""
        if not self._registration.config.enable_registration:
            raise Forbidden("Registration has been disabled on this server")
        self._limiter.check("register_available", request.client_ip, _QUESTIONS)
        await self._registration.check_available(request.query.string("username"))
        return {"available": True}

    @endpoint("GET", client_v1("/register/m.login.registration_token/validity"), auth=Auth.NONE)
    async def token_validity(self, request: Request[Any]) -> dict[str, Any]:
        """Whether a registration token is good."""
        limit = self._limits.rc_registration_token_validity
        self._limiter.check("registration_token_validity", request.client_ip, limit)
        if not self._registration.config.enable_registration:
            raise Forbidden("Registration has been disabled on this server")
        token = request.query.string("token")
        return {"valid": await self._applications.tokens.is_valid(token)}

    async def _prove(self, request: Request[Any], body: RegisterBody) -> Attempt:
        """Ask for the proof that registration needs, and look at the name before bothering anybody with it."""
        is_repeat = body.auth is not None and body.auth.get("session") is not None
        if body.username is not None and not is_repeat:
            await self._registration.check_available(body.username)
        if body.auth is None:
            limit = self._limits.rc_registration
            generous = RateLimit(limit.per_second * 10, limit.burst_count * 10)
            self._limiter.check("registration_attempt", request.client_ip, generous)
        needs_token = self._registration.config.registration_requires_token
        flows = [[REGISTRATION_TOKEN]] if needs_token else [[DUMMY]]
        return await self._applications.uia.confirm(body.auth, flows, OPERATION)

    async def _make(self, request: Request[Any], body: RegisterBody, attempt: Attempt) -> str:
        if body.password is None:
            raise MissingParam("A password is needed")
        if body.username is not None and await self._applications.accounts.exists(
            self._registration.user_id_for(body.username)
        ):
            raise UserInUse()
        self._limiter.check("registration", request.client_ip, self._limits.rc_registration)
        user_id = await self._registration.register(body.username, body.password)
        await self._applications.uia.remember(attempt, user_id)
        if REGISTRATION_TOKEN in attempt.completed:
            await self._applications.tokens.finish(attempt.session_id)
        return user_id

    async def _repeat(self, body: RegisterBody, user_id: str) -> str:
        """The account was made by this registration before, and the reply got lost."""
        if body.password is None or not await self._applications.passwords.is_right(user_id, body.password):
            raise UserInUse()
        return user_id

    async def _let_guest_in(self, request: Request[RegisterBody]) -> dict[str, Any]:
        if not self._registration.config.allow_guest_access:
            raise GuestAccessForbidden("Guest access is disabled on this server")
        self._limiter.check("registration", request.client_ip, self._limits.rc_registration)
        return await self._reply(await self._registration.register_guest(), request.body)

    async def _reply(self, user_id: str, body: RegisterBody) -> dict[str, Any]:
        home_server = user_id.partition(":")[2]
        if body.inhibit_login:
            return {"user_id": user_id, "home_server": home_server}
        session = await self._applications.sessions.open(user_id, body.wish)
        return {"user_id": user_id, "home_server": home_server, "device_id": session.device_id, **session.as_json()}
