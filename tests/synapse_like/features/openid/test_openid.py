"""OpenID tokens: whose they are, until when, and that they are good for nothing else."""

from typing import Any

from synapse_like.features.accounts import Accounts
from synapse_like.features.openid import OpenId
from tests.synapse_like.features.people import People, people

__all__ = ["people"]

USERINFO = "/_matrix/federation/v1/openid/userinfo"


async def _token(people: People) -> dict[str, Any]:
    return dict(await people.ok("POST", "/user/@ann:test/openid/request_token", {}, token="ann"))


async def test_a_token_tells_whose_it_is(people: People) -> None:
    issued = await _token(people)
    assert issued["token_type"] == "Bearer" and issued["matrix_server_name"] == "test" and issued["expires_in"] == 3600
    assert await people.ok("GET", USERINFO, query={"access_token": issued["access_token"]}) == {"sub": "@ann:test"}
    rows = await people.homeserver.kit.database.read(lambda txn: txn.all("SELECT * FROM openid_tokens"))
    assert issued["access_token"] not in str(rows)


async def test_other_tokens_tell_nothing(people: People) -> None:
    await _token(people)
    for query in ({"access_token": "ann"}, {"access_token": "x" * 40}):
        answer = await people.request("GET", USERINFO, query=query)
        assert (answer.status, answer.body["errcode"]) == (401, "M_UNKNOWN_TOKEN")
    assert (await people.request("GET", USERINFO)).body["errcode"] == "M_MISSING_TOKEN"
    answer = await people.request("POST", "/user/@ann:test/openid/request_token", {}, token="ben")
    assert answer.status == 403


async def test_an_expired_token_is_unknown_and_cleaned_up(people: People) -> None:
    issued, kit = await _token(people), people.homeserver.kit
    await kit.database.write(lambda txn: txn.run("UPDATE openid_tokens SET expires_ms = :past", past=1))
    assert (await people.request("GET", USERINFO, query={"access_token": issued["access_token"]})).status == 401
    fresh = await _token(people)
    await people.homeserver.front(OpenId).remove_expired()
    assert len(await kit.database.read(lambda txn: txn.all("SELECT 1 FROM openid_tokens"))) == 1
    await people.ok("GET", USERINFO, query={"access_token": fresh["access_token"]})


async def test_a_closed_account_has_no_tokens(people: People) -> None:
    await people.register("ann")
    issued = await _token(people)
    await people.homeserver.front(Accounts).depart("@ann:test", False)
    assert (await people.request("GET", USERINFO, query={"access_token": issued["access_token"]})).status == 401
