"""Profiles: who sees them, who changes them, and what of them lasts."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from synapse_like.features.accounts import Accounts
from synapse_like.features.profile import PROFILES
from tests.synapse_like.features.people import People, people

__all__ = ["people"]

ANN = "/profile/@ann:test"
UNSTABLE = "/_matrix/client/unstable/uk.tcpip.msc4133"


async def refused(
    people: People, method: str, path: str, body: Any = None, token: str | None = None
) -> tuple[int, str]:
    answer = await people.request(method, path, body, token=token)
    return answer.status, answer.body["errcode"]


async def test_a_new_user_is_called_by_their_localpart(people: People) -> None:
    await people.register("ann")
    await people.register("gus", is_guest=True)
    assert await people.ok("GET", ANN) == {"displayname": "ann"}
    assert await people.ok("GET", ANN + "/displayname") == {"displayname": "ann"}
    assert await people.ok("GET", "/profile/@gus:test") == {}
    for path in (ANN + "/avatar_url", ANN + "/org.example.x", "/profile/@ben:test"):
        assert await refused(people, "GET", path) == (404, "M_NOT_FOUND")
    assert await refused(people, "GET", "/profile/ann") == (400, "M_INVALID_PARAM")


async def test_fields_are_set_read_and_removed(people: People) -> None:
    await people.register("ann")
    fields = {
        "displayname": "Ann 🦊",
        "avatar_url": "mxc://test/ann",
        "m.tz": "Europe/Berlin",
        "org.example.pronouns": [{"summary": "she/her"}],
        "org.example.nothing": None,
    }
    for key, value in fields.items():
        assert await people.ok("PUT", f"{ANN}/{key}", {key: value}, token="ann") == {}
        assert await people.ok("GET", f"{ANN}/{key}") == {key: value}
    assert await people.ok("GET", ANN) == fields
    for key in fields:
        for _ in range(2):
            assert await people.ok("DELETE", f"{ANN}/{key}", token="ann") == {}
        assert await refused(people, "GET", f"{ANN}/{key}") == (404, "M_NOT_FOUND")
    assert await people.ok("GET", ANN) == {}


async def test_the_unstable_path_is_the_same(people: People) -> None:
    await people.register("ann")
    await people.ok("PUT", UNSTABLE + ANN + "/us.cloke.msc4175.tz", {"us.cloke.msc4175.tz": "UTC"}, token="ann")
    assert await people.ok("GET", ANN + "/us.cloke.msc4175.tz") == {"us.cloke.msc4175.tz": "UTC"}
    await people.ok("DELETE", UNSTABLE + ANN + "/us.cloke.msc4175.tz", token="ann")
    assert await refused(people, "GET", UNSTABLE + ANN + "/us.cloke.msc4175.tz") == (404, "M_NOT_FOUND")


async def test_what_cannot_be_set(people: People) -> None:
    await people.register("ann")
    put = "PUT"
    assert await refused(people, put, ANN + "/displayname", {}, "ann") == (400, "M_MISSING_PARAM")
    assert await refused(people, put, ANN + "/displayname", b"x", "ann") == (400, "M_NOT_JSON")
    assert await refused(people, put, ANN + "/Bad", {"Bad": 1}, "ann") == (400, "M_INVALID_PARAM")
    long = "a" * 256
    assert await refused(people, put, f"{ANN}/{long}", {long: 1}, "ann") == (400, "M_KEY_TOO_LARGE")
    big = {"a.b": "x" * 40_000}
    await people.ok(put, ANN + "/a.b", big, token="ann")
    assert await refused(people, put, ANN + "/a.c", {"a.c": "x" * 30_000}, "ann") == (400, "M_PROFILE_TOO_LARGE")
    assert (await people.ok("GET", ANN)).keys() == {"displayname", "a.b"}


async def test_only_the_user_and_administrators_change_a_profile(people: People) -> None:
    await people.register("ann")
    await people.register("boss", is_admin=True)
    await people.register("gus", is_guest=True)
    await people.register("sue", is_suspended=True)
    for method, body in (("PUT", {"displayname": "x"}), ("DELETE", None)):
        assert await refused(people, method, ANN + "/displayname", body, "ben") == (403, "M_FORBIDDEN")
        assert await refused(people, method, ANN + "/displayname", body) == (401, "M_MISSING_TOKEN")
    await people.ok("PUT", ANN + "/displayname", {"displayname": "Renamed"}, token="boss")
    assert (await people.ok("GET", ANN))["displayname"] == "Renamed"
    nobody = "/profile/@nobody:test/displayname"
    assert await refused(people, "PUT", nobody, {"displayname": "x"}, "boss") == (404, "M_NOT_FOUND")
    await people.ok("PUT", "/profile/@gus:test/displayname", {"displayname": "Gus"}, token="gus")
    forbidden = await refused(people, "PUT", "/profile/@gus:test/m.tz", {"m.tz": "UTC"}, "gus")
    assert forbidden == (403, "M_GUEST_ACCESS_FORBIDDEN")
    suspended = await refused(people, "PUT", "/profile/@sue:test/displayname", {"displayname": "x"}, "sue")
    assert suspended == (403, "M_USER_SUSPENDED")


@pytest.mark.config(enable_set_displayname=False, enable_set_avatar_url=False)
async def test_a_server_may_forbid_changes_but_not_the_first_one(people: People) -> None:
    await people.register("ann")
    await people.register("boss", is_admin=True)
    assert await refused(people, "PUT", ANN + "/displayname", {"displayname": "x"}, "ann") == (403, "M_FORBIDDEN")
    assert await refused(people, "DELETE", ANN + "/displayname", None, "ann") == (403, "M_FORBIDDEN")
    await people.ok("PUT", ANN + "/avatar_url", {"avatar_url": "mxc://test/a"}, token="ann")
    assert await refused(people, "PUT", ANN + "/avatar_url", {"avatar_url": "mxc://test/b"}, "ann") == (
        403,
        "M_FORBIDDEN",
    )
    await people.ok("PUT", ANN + "/displayname", {"displayname": "x"}, token="boss")
    found = (await people.ok("GET", "/capabilities", token="ann"))["capabilities"]
    assert found["m.set_displayname"] == found["m.set_avatar_url"] == {"enabled": False}
    assert found["m.profile_fields"] == {"enabled": True, "disallowed": ["displayname", "avatar_url"]}


async def test_what_users_may_change_is_told(people: People) -> None:
    found = (await people.ok("GET", "/capabilities", token="ann"))["capabilities"]
    assert found["m.set_displayname"] == found["m.set_avatar_url"] == {"enabled": True}
    assert found["m.profile_fields"] == {"enabled": True}


@pytest.mark.config(require_auth_for_profile_requests=True)
async def test_profiles_for_those_who_are_logged_in(people: People) -> None:
    await people.register("ann")
    assert await refused(people, "GET", ANN) == (401, "M_MISSING_TOKEN")
    assert await refused(people, "GET", ANN + "/displayname") == (401, "M_MISSING_TOKEN")
    assert await people.ok("GET", ANN, token="ben") == {"displayname": "ann"}


@pytest.mark.config(limit_profile_requests_to_users_who_share_rooms=True)
async def test_profiles_for_those_who_share_a_room(people: People) -> None:
    await people.register("ann")
    await people.register("boss", is_admin=True)
    assert await refused(people, "GET", ANN) == (401, "M_MISSING_TOKEN")
    assert await refused(people, "GET", ANN, token="ben") == (403, "M_FORBIDDEN")
    assert await refused(people, "GET", "/profile/@nobody:test", token="ben") == (403, "M_FORBIDDEN")
    await people.ok("GET", ANN, token="ann")
    await people.ok("GET", ANN, token="boss")
    room_id = await people.found_room("ann")
    await people.enter("ben", room_id)
    assert await people.ok("GET", ANN, token="ben") == {"displayname": "ann"}


async def test_changes_at_once_do_not_lose_each_other(people: People) -> None:
    await people.register("ann")
    keys = [f"org.example.f{number}" for number in range(8)]
    puts = [Deferred.fromCoroutine(people.ok("PUT", f"{ANN}/{key}", {key: 1}, token="ann")) for key in keys]
    for put in puts:
        await put
    assert await people.ok("GET", ANN) == {"displayname": "ann", **dict.fromkeys(keys, 1)}


async def test_a_known_profile_asks_no_database(people: People) -> None:
    await people.register("ann")
    await people.ok("GET", ANN)
    await people.ok("PUT", ANN + "/m.tz", {"m.tz": "UTC"}, token="ann")
    await people.quiet()
    people.queries.clear()
    assert await people.ok("GET", ANN) == {"displayname": "ann", "m.tz": "UTC"}
    assert people.queries == []


async def test_a_closed_account_has_no_profile(people: People) -> None:
    await people.register("ann")
    await people.homeserver.front(Accounts).depart("@ann:test", False)
    assert await refused(people, "GET", ANN) == (404, "M_NOT_FOUND")


async def test_a_gap_is_refilled(people: People) -> None:
    await people.register("ann")
    await people.ok("PUT", ANN + "/m.tz", {"m.tz": "UTC"}, token="ann")
    shard = await people.rooms.user_log.shard_of("@ann:test")
    await people.caught_up()
    upto = people.rooms.reader.positions["user"].floor(shard)
    storage = next(s for b in people.homeserver.built for s in b.storages if s.stream is PROFILES)
    (fact,) = await people.homeserver.kit.database.read(lambda txn: storage.load(txn, shard << 44, upto))
    assert fact.profile.json() == {"displayname": "ann", "m.tz": "UTC"}
