"""Whatever a client sends to the endpoints of accounts: a Matrix error or success, never a fault of the server."""

from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.kit.accounts import PASSWORD, make_admin, sqlite_server
from tests.kit.homeserver import TestServer

__all__ = ["sqlite_server"]

_TEXTS = st.one_of(
    st.sampled_from(["", "\0", "alice", "@alice:test", "@:", "@x:y", "m.login.dummy", "m.login.password", PASSWORD]),
    st.text(max_size=20),
    st.just("x" * 1200),
)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), _TEXTS)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3), max_leaves=6
)
_IDENTIFIERS = st.fixed_dictionaries({"type": st.just("m.id.user"), "user": _TEXTS}) | _JSON
_STAGES = st.sampled_from(["m.login.dummy", "m.login.password", "m.login.registration_token"])
_AUTH = st.one_of(
    _JSON,
    st.fixed_dictionaries(
        {"type": _STAGES | _TEXTS},
        optional={"session": _JSON, "password": _JSON, "token": _JSON, "identifier": _IDENTIFIERS, "user": _JSON},
    ),
)
_FIELDS = {
    "auth": _AUTH,
    "identifier": _IDENTIFIERS,
    "type": st.just("m.login.password") | _TEXTS,
    "nonce": _TEXTS,
    "mac": _TEXTS,
    "username": _TEXTS,
    "password": _TEXTS,
}
_BODIES = {
    "/register": ["auth", "username", "password", "device_id", "initial_device_display_name", "refresh_token"],
    "/login": ["type", "identifier", "user", "password", "device_id", "initial_device_display_name"],
    "/refresh": ["refresh_token"],
    "/account/password": ["new_password", "auth", "logout_devices"],
    "/account/3pid/add": ["sid", "auth"],
    "/delete_devices": ["devices", "auth"],
    "/_synapse/admin/v1/register": ["nonce", "username", "password", "mac", "admin", "user_type", "displayname"],
    "/_synapse/admin/v1/registration_tokens/new": ["token", "length", "uses_allowed", "expiry_time"],
    "/auth/m.login.registration_token/fallback/web": ["session"],
}
_PATHS = ["/devices/{}", "/_synapse/admin/v1/registration_tokens/{}", "/auth/{}/fallback/web?session={}"]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any]:
    """(method, path, body) of one of the endpoints."""
    if draw(st.booleans()):
        path = draw(st.sampled_from(sorted(_BODIES)))
        body = {name: draw(_FIELDS.get(name, _JSON)) for name in _BODIES[path] if draw(st.integers(0, 4))}
        return "POST", path, draw(st.just(body) | _JSON)
    path = draw(st.sampled_from(_PATHS)).replace("{}", quote(draw(_TEXTS), safe=""))
    body = {name: draw(_JSON) for name in ("display_name", "auth", "uses_allowed", "expiry_time")}
    return draw(st.sampled_from(["GET", "PUT", "DELETE", "POST"])), path, body


@given(st.lists(requests(), min_size=1, max_size=8))
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_nothing_is_a_fault_of_the_server(server: TestServer, sent: list[tuple[str, str, Any]]) -> None:
    admin = await make_admin(server, f"admin{len(server.queries)}")
    for method, path, body in sent:
        answer = await server.request(method, path, body, token=admin)
        assert answer.status < 500, (method, path, body, answer)
