"""POST /register and what goes with it."""

from typing import Any

import pytest

from synapse_like.features.accounts import Accounts
from synapse_like.features.registration.config import RegistrationConfig
from tests.kit.accounts import PASSWORD, is_alive, log_in, sqlite_server
from tests.kit.homeserver import Answer, TestServer

__all__ = ["sqlite_server"]

ONCE = {"per_second": 0.0001, "burst_count": 1}
DUMMY = {"type": "m.login.dummy"}


async def register(server: TestServer, **body: Any) -> Answer:
    return await server.request("POST", "/register", body)


async def test_the_whole_way(server: TestServer) -> None:
    asked = await register(server)
    assert asked.status == 401
    assert asked.body["flows"] == [{"stages": ["m.login.dummy"]}]
    auth = {**DUMMY, "session": asked.body["session"]}
    made = await register(server, username="Alice", password=PASSWORD, device_id="PHONE", auth=auth)
    assert made.status == 200
    assert (made.body["user_id"], made.body["home_server"], made.body["device_id"]) == ("@alice:test", "test", "PHONE")
    assert await is_alive(server, made.body["access_token"])
    assert (await log_in(server, "alice")).status == 200


async def test_a_repeat_of_the_last_request_gives_the_same_user(server: TestServer) -> None:
    session = (await register(server)).body["session"]
    body = {"username": "alice", "password": PASSWORD, "auth": {**DUMMY, "session": session}}
    first, second = await register(server, **body), await register(server, **body)
    assert second.body["user_id"] == first.body["user_id"]
    stolen = await register(server, **{**body, "password": "another"})
    assert (stolen.status, stolen.body["errcode"]) == (400, "M_USER_IN_USE")


async def test_names_are_given_once_whatever_their_case(server: TestServer) -> None:
    await server.register("alice")
    for name in ("alice", "ALICE"):
        for auth in (None, DUMMY):
            answer = await register(server, username=name, password=PASSWORD, auth=auth)
            assert (answer.status, answer.body["errcode"]) == (400, "M_USER_IN_USE")


async def test_what_is_wrong_is_named(server: TestServer) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"username": "a b"}, "M_INVALID_USERNAME"),
        ({"username": "_bot"}, "M_INVALID_USERNAME"),
        ({"username": 7}, "M_BAD_JSON"),
        ({"auth": "x"}, "M_BAD_JSON"),
        ({"username": "alice", "auth": DUMMY}, "M_MISSING_PARAM"),
        ({"username": "alice", "password": "", "auth": DUMMY}, "M_WEAK_PASSWORD"),
        ({"username": "alice", "password": "x" * 600}, "M_INVALID_PARAM"),
    ]
    for body, errcode in wrong:
        answer = await register(server, **body)
        assert (answer.status, answer.body["errcode"]) == (400, errcode), body


async def test_a_name_may_be_left_to_the_server(server: TestServer) -> None:
    made = await register(server, password=PASSWORD, auth=DUMMY)
    assert made.body["user_id"].endswith(":test")


async def test_without_logging_in(server: TestServer) -> None:
    made = await register(server, username="alice", password=PASSWORD, auth=DUMMY, inhibit_login=True)
    assert made.body == {"user_id": "@alice:test", "home_server": "test"}


async def test_with_a_refresh_token(server: TestServer) -> None:
    made = await register(server, username="alice", password=PASSWORD, auth=DUMMY, refresh_token=True)
    assert made.body["expires_in_ms"] > 0
    assert (await server.request("POST", "/refresh", {"refresh_token": made.body["refresh_token"]})).status == 200


async def test_reserved_names_are_refused(server: TestServer) -> None:
    server.homeserver.front(Accounts).claims.append(lambda user_id: user_id.startswith("@irc-"))
    answer = await register(server, username="irc-bob", password=PASSWORD, auth=DUMMY)
    assert (answer.status, answer.body["errcode"]) == (400, "M_EXCLUSIVE")


async def test_which_names_are_free(server: TestServer) -> None:
    await server.register("alice")
    available = "/register/available"
    assert await server.ok("GET", available, query={"username": "bob"}) == {"available": True}
    for name, errcode in (("alice", "M_USER_IN_USE"), ("a b", "M_INVALID_USERNAME")):
        answer = await server.request("GET", available, query={"username": name})
        assert (answer.status, answer.body["errcode"]) == (400, errcode)
    assert (await server.request("GET", available)).body["errcode"] == "M_MISSING_PARAM"


@pytest.mark.config(inhibit_user_in_use_error=True)
async def test_it_may_be_a_secret_which_names_are_taken(server: TestServer) -> None:
    await server.register("alice")
    assert (await server.ok("GET", "/register/available", query={"username": "alice"}))["available"]
    answer = await register(server, username="alice", password=PASSWORD, auth=DUMMY)
    assert answer.body["errcode"] == "M_USER_IN_USE"


@pytest.mark.config(enable_registration=False)
async def test_closed_registration(server: TestServer) -> None:
    for method, path in (("POST", "/register"), ("GET", "/register/available?username=x")):
        answer = await server.request(method, path)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")


async def test_guests_stay_out_unless_let_in(server: TestServer) -> None:
    answer = await server.request("POST", "/register?kind=guest", {})
    assert (answer.status, answer.body["errcode"]) == (403, "M_GUEST_ACCESS_FORBIDDEN")
    assert (await server.request("POST", "/register?kind=other", {})).status == 400


@pytest.mark.config(allow_guest_access=True)
async def test_a_guest(server: TestServer) -> None:
    guest = (await server.ok("POST", "/register?kind=guest", {}))["access_token"]
    assert (await server.ok("GET", "/account/whoami", token=guest))["is_guest"]
    answer = await server.request("GET", "/devices", token=guest)
    assert (answer.status, answer.body["errcode"]) == (403, "M_GUEST_ACCESS_FORBIDDEN")


@pytest.mark.config(rc_registration=ONCE)
async def test_accounts_of_one_address_are_limited(server: TestServer) -> None:
    statuses = [
        (await register(server, username=name, password=PASSWORD, auth=DUMMY)).status for name in ("alice", "bob")
    ]
    assert statuses == [200, 429]


@pytest.mark.parametrize(
    ("config", "is_refused"),
    [
        (RegistrationConfig(), False),
        (RegistrationConfig(enable_registration=True), True),
        (RegistrationConfig(enable_registration=True, registration_requires_token=True), False),
        (RegistrationConfig(enable_registration=True, enable_registration_without_verification=True), False),
    ],
)
def test_open_registration_must_be_meant(config: RegistrationConfig, is_refused: bool) -> None:
    assert [key for key, _ in config.check()] == (["enable_registration"] if is_refused else [])
