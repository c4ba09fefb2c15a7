"""Registration by whoever knows the shared secret."""

from typing import Any

import pytest

from tests.kit.accounts import PASSWORD, is_alive, log_in, move_clock, sqlite_server
from tests.kit.homeserver import Answer, TestServer
from workers.cli.registering import proof

__all__ = ["sqlite_server"]

PATH = "/_synapse/admin/v1/register"


async def register(server: TestServer, name: str = "alice", secret: str = "shared", **extra: Any) -> Answer:
    nonce = extra.pop("nonce", None) or (await server.ok("GET", PATH))["nonce"]
    mac = proof(secret, nonce, name, PASSWORD, bool(extra.get("admin")))
    return await server.request(
        "POST", PATH, {"nonce": nonce, "username": name, "password": PASSWORD, "mac": mac, **extra}
    )


async def test_a_user_is_made(server: TestServer) -> None:
    made = await register(server)
    assert made.status == 200, made
    assert made.body["user_id"] == "@alice:test"
    assert await is_alive(server, made.body["access_token"])
    assert (await log_in(server, "alice")).status == 200


async def test_an_administrator_is_made(server: TestServer) -> None:
    token = (await register(server, admin=True)).body["access_token"]
    assert (await server.request("GET", "/_synapse/admin/v1/registration_tokens", token=token)).status == 200


async def test_without_logging_in(server: TestServer) -> None:
    assert "access_token" not in (await register(server, inhibit_login=True)).body


async def test_a_wrong_proof_is_refused(server: TestServer) -> None:
    for wrong in ({"secret": "guess"}, {"mac": "é"}, {"mac": ""}):
        answer = await register(server, **wrong)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    promoted = await register(server, mac=proof("shared", "n", "alice", PASSWORD, False), admin=True)
    assert promoted.status == 403


async def test_a_nonce_is_good_once_and_not_for_long(server: TestServer) -> None:
    nonce = (await server.ok("GET", PATH))["nonce"]
    assert (await register(server, nonce=nonce)).status == 200
    assert (await register(server, "bob", nonce=nonce)).status == 400
    assert (await register(server, "bob", nonce="made up")).status == 400
    late = (await server.ok("GET", PATH))["nonce"]
    move_clock(server, 61_000)
    assert (await register(server, "bob", nonce=late)).status == 400


async def test_what_is_wrong_is_named(server: TestServer) -> None:
    for name, errcode in (("a b", "M_INVALID_USERNAME"), ("nul\0", "M_INVALID_PARAM")):
        assert (await register(server, name)).body["errcode"] == errcode
    assert (await register(server, user_type="king")).status == 400
    await server.register("alice")
    assert (await register(server)).body["errcode"] == "M_USER_IN_USE"


@pytest.mark.config(registration_shared_secret=None)
async def test_without_a_secret_there_is_no_way(server: TestServer) -> None:
    assert (await server.request("GET", PATH)).status == 400
