"""TURN credentials, by secret and fixed."""

import hmac
from base64 import b64encode

import pytest

from tests.synapse_like.features.people import People, people

__all__ = ["people"]

URIS = ["turn:turn.example.com?transport=udp", "turns:turn.example.com"]


@pytest.mark.config(turn_uris=URIS, turn_shared_secret="north", turn_user_lifetime="1d")
async def test_credentials_are_made_with_the_secret(people: People) -> None:
    found = await people.ok("GET", "/voip/turnServer", token="ann")
    assert (found["uris"], found["ttl"]) == (URIS, 86400)
    expiry, _, user_id = found["username"].partition(":")
    assert user_id == "@ann:test"
    now_s = people.homeserver.kit.clock.now_ms() // 1000
    assert now_s + 86300 < int(expiry) <= now_s + 86400
    code = hmac.digest(b"north", found["username"].encode(), "sha1")
    assert found["password"] == b64encode(code).decode()


@pytest.mark.config(turn_uris=URIS, turn_username="u", turn_password="p", turn_allow_guests=False)
async def test_fixed_credentials_and_no_guests(people: People) -> None:
    found = await people.ok("GET", "/voip/turnServer", token="ann")
    assert found == {"username": "u", "password": "p", "ttl": 3600, "uris": URIS}
    people.names.kinds["gus"] = {"is_guest": True}
    answer = await people.request("GET", "/voip/turnServer", token="gus")
    assert (answer.status, answer.body["errcode"]) == (403, "M_GUEST_ACCESS_FORBIDDEN")


async def test_without_servers_there_is_nothing(people: People) -> None:
    people.names.kinds["gus"] = {"is_guest": True}
    assert await people.ok("GET", "/voip/turnServer", token="gus") == {}
