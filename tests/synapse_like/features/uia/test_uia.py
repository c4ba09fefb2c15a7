"""User-interactive authentication: what is asked, what is believed, and for what it counts."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from synapse_like.features.uia import Uia
from synapse_like.features.uia.errors import AuthenticationNeeded, UnknownSession
from synapse_like.matrix.errors import BadJson, Forbidden, InvalidParam
from tests.kit.accounts import move_clock, proof
from tests.kit.homeserver import Answer, TestServer, server

__all__ = ["server"]

DUMMY = {"type": "m.login.dummy"}
BOTH = [["m.login.dummy", "m.login.registration_token"]]
HOUR_MS = 60 * 60 * 1000


def uia_of(server: TestServer) -> Uia:
    front: Uia = server.homeserver.front(Uia)
    return front


async def asked(server: TestServer, auth: Any, **options: Any) -> dict[str, Any]:
    """The body of the 401."""
    with pytest.raises(AuthenticationNeeded) as caught:
        await uia_of(server).confirm(auth, options.get("flows", BOTH), options.get("operation", "test"))
    return caught.value.body()


async def count(server: TestServer, table: str) -> int:
    """The rows of a table."""
    row = await server.homeserver.kit.database.read(lambda txn: txn.one(f"SELECT COUNT(*) FROM {table}"))
    return int(row[0]) if row else 0


async def test_flows_are_offered(server: TestServer) -> None:
    body = await asked(server, None)
    assert body.pop("session")
    params: dict[str, Any] = {"m.login.dummy": {}, "m.login.registration_token": {}}
    assert body == {"flows": [{"stages": BOTH[0]}], "params": params, "completed": []}


async def test_stages_add_up(server: TestServer) -> None:
    session = (await asked(server, None))["session"]
    body = await asked(server, {**DUMMY, "session": session})
    assert (body["session"], body["completed"]) == (session, ["m.login.dummy"])
    assert "errcode" not in body
    body = await asked(server, {"type": "m.login.registration_token", "token": "bad", "session": session})
    assert (body["errcode"], body["completed"]) == ("M_UNAUTHORIZED", ["m.login.dummy"])
    attempt = await uia_of(server).confirm({"session": session}, [["m.login.dummy"]], "test")
    assert attempt.is_complete


async def test_a_stage_that_is_enough_needs_no_session_and_no_row(server: TestServer) -> None:
    await server.quiet()
    server.queries.clear()
    await uia_of(server).confirm(DUMMY, [["m.login.dummy"]], "test")
    assert server.queries == []


async def test_what_is_wrong_in_itself_is_named(server: TestServer) -> None:
    session = (await asked(server, None))["session"]
    wrong: list[tuple[Any, type[Exception]]] = [
        ([], BadJson),
        ({"session": 7}, BadJson),
        ({"session": "unknown"}, UnknownSession),
        ({"session": "nul\0"}, UnknownSession),
        ({"session": "x" * 1000}, UnknownSession),
        ({"type": "m.login.password", "session": session}, InvalidParam),
        ({"type": 7, "session": session}, InvalidParam),
    ]
    for auth, error in wrong:
        with pytest.raises(error):
            await uia_of(server).confirm(auth, BOTH, "test")


async def test_a_session_counts_for_one_operation_of_one_user(server: TestServer) -> None:
    session = (await asked(server, DUMMY))["session"]
    for operation, user_id in (("other", None), ("test", "@alice:test")):
        with pytest.raises(Forbidden):
            await uia_of(server).confirm({"session": session}, [["m.login.dummy"]], operation, user_id=user_id)


async def test_an_old_session_is_forgotten(server: TestServer) -> None:
    session = (await asked(server, DUMMY))["session"]
    move_clock(server, 25 * HOUR_MS)
    with pytest.raises(UnknownSession):
        await uia_of(server).confirm({"session": session}, [["m.login.dummy"]], "test")
    await uia_of(server).purge()
    for table in ("uia_sessions", "uia_stages"):
        assert await count(server, table) == 0


async def change_password(server: TestServer, token: str, auth: Any) -> Answer:
    return await server.request("POST", "/account/password", {"new_password": "new", "auth": auth}, token=token)


async def test_a_wrong_password_may_be_corrected(server: TestServer) -> None:
    token = await server.register("alice")
    session = (await change_password(server, token, None)).body["session"]
    wrong = await change_password(server, token, proof("alice", "wrong", session=session))
    assert (wrong.status, wrong.body["errcode"], wrong.body["session"]) == (401, "M_FORBIDDEN", session)
    right = await change_password(server, token, proof("alice", session=session))
    assert right.status == 200
    again = await change_password(server, token, {"session": session})
    assert again.status == 400


async def test_only_the_user_who_is_logged_in_can_prove_it(server: TestServer) -> None:
    token = await server.register("alice")
    await server.register("bob")
    session = (await change_password(server, token, None)).body["session"]
    answer = await change_password(server, token, proof("bob", session=session))
    assert (answer.status, answer.body["errcode"]) == (401, "M_FORBIDDEN")
    other = await server.register("carol")
    assert (await change_password(server, other, proof("carol", session=session))).status == 403


@pytest.mark.config(
    rc_login={
        "address": {"per_second": 100, "burst_count": 100},
        "account": {"per_second": 100, "burst_count": 100},
        "failed_attempts": {"per_second": 0.001, "burst_count": 2},
    }
)
async def test_guessing_is_slowed_down(server: TestServer) -> None:
    token = await server.register("alice")
    codes = [(await change_password(server, token, proof("alice", "bad"))).body["errcode"] for _ in range(3)]
    assert codes == ["M_FORBIDDEN", "M_FORBIDDEN", "M_LIMIT_EXCEEDED"]
    assert (await change_password(server, token, proof("alice"))).status == 401


async def submit(server: TestServer, stage: str, fields: dict[str, str]) -> Answer:
    return await server.request("POST", f"/auth/{stage}/fallback/web", urlencode(fields).encode())


async def test_the_page_of_a_stage(server: TestServer) -> None:
    session = (await asked(server, None))["session"]
    path = "/auth/m.login.registration_token/fallback/web"
    page = await server.request("GET", path, query={"session": session})
    assert page.status == 200 and b'name="token"' in page.body and session.encode() in page.body
    refused = await submit(server, "m.login.registration_token", {"session": session, "token": "<bad>"})
    assert refused.status == 401 and b"not valid" in refused.body
    done = await submit(server, "m.login.dummy", {"session": session})
    assert done.status == 200 and b"onAuthDone" in done.body
    assert (await uia_of(server).find(session)).completed == {"m.login.dummy": "done"}
    shown = await server.request("GET", "/auth/m.login.dummy/fallback/web", query={"session": session})
    assert b"onAuthDone" in shown.body


async def test_pages_of_nothing(server: TestServer) -> None:
    session = (await asked(server, None))["session"]
    assert (await server.request("GET", "/auth/unknown/fallback/web", query={"session": session})).status == 404
    assert (await server.request("GET", "/auth/m.login.dummy/fallback/web")).status == 400
    bad = quote('"><script>')
    assert (await server.request("GET", f"/auth/m.login.dummy/fallback/web?session={bad}")).status == 400
    assert (await submit(server, "m.login.password", {"session": session, "password": "x"})).status == 400
    assert (await server.request("POST", "/auth/m.login.dummy/fallback/web", b"\xff")).status == 400
