"""Account data: stored, read by its user alone, and told to all clients of the user."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from synapse_like.features.account_data import ACCOUNT_DATA, GLOBAL, AccountDataFact, UserData
from synapse_like.features.account_data.logic import ignored_in
from synapse_like.features.accounts import Accounts
from tests.synapse_like.features.people import People, people

__all__ = ["people"]

OWN = "/user/@ann:test/account_data/"
UNSTABLE = "/_matrix/client/unstable/org.matrix.msc3391"


def events(part: dict) -> dict:
    return {event["type"]: event["content"] for event in part.get("account_data", {}).get("events", [])}


async def test_global_data_are_stored_and_read(people: People) -> None:
    content = {"a": [1, 2.5, None, "é"], "deep": {"b": {}}}
    await people.ok("PUT", OWN + "org.example.x", content, token="ann")
    assert await people.ok("GET", OWN + "org.example.x", token="ann") == content
    await people.ok("PUT", OWN + "org.example.x", {}, token="ann")
    assert await people.ok("GET", OWN + "org.example.x", token="ann") == {}
    missing = await people.request("GET", OWN + "org.example.y", token="ann")
    assert (missing.status, missing.body["errcode"]) == (404, "M_NOT_FOUND")


@pytest.mark.parametrize("path", [OWN + "org.example.x", "/user/@ann:test/rooms/!r:test/account_data/x"])
async def test_nobody_else_reads_or_writes_them(people: People, path: str) -> None:
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        full = UNSTABLE + path if method == "DELETE" else path
        answer = await people.request(method, full, body, token="ben")
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN"), method


async def test_what_is_refused(people: People) -> None:
    room = "/user/@ann:test/rooms/!r:test/account_data/"
    for path in (OWN, room):
        for kind in ("m.fully_read", "m.push_rules"):
            answer = await people.request("PUT", path + kind, {}, token="ann")
            assert (answer.status, answer.body["errcode"]) == (405, "M_BAD_JSON")
    assert (await people.request("PUT", OWN + "x", b"[]", token="ann")).body["errcode"] == "M_BAD_JSON"
    assert (await people.request("PUT", OWN + "x", b"x", token="ann")).body["errcode"] == "M_NOT_JSON"
    assert (await people.request("PUT", OWN + "x" * 300, {}, token="ann")).body["errcode"] == "M_INVALID_PARAM"
    wrong_room = room.replace("!r:test", "@r:test") + "x"
    for method, body in (("PUT", {}), ("GET", None)):
        assert (await people.request(method, wrong_room, body, token="ann")).body["errcode"] == "M_INVALID_PARAM"


async def test_data_in_sync(people: People) -> None:
    room_id, later = await people.found_room("ann"), await people.found_room("ben")
    await people.ok("PUT", OWN + "g.one", {"n": 1}, token="ann")
    for room in (room_id, later):
        await people.ok("PUT", f"/user/@ann:test/rooms/{room}/account_data/r.one", {"n": 1}, token="ann")
    first = await people.sync("ann")
    assert events(first) == {"g.one": {"n": 1}}
    assert events(first["rooms"]["join"][room_id]) == {"r.one": {"n": 1}}
    assert later not in first["rooms"]["join"]

    await people.ok("PUT", OWN + "g.two", {"n": 1}, token="ann")
    await people.ok("PUT", OWN + "g.two", {"n": 2}, token="ann")
    await people.ok("PUT", f"/user/@ann:test/rooms/{room_id}/account_data/r.two", {}, token="ann")
    await people.quiet()
    people.queries.clear()
    second = await people.sync("ann", first["next_batch"])
    assert not [sql for sql in people.queries if "account_data" in sql]
    assert events(second) == {"g.two": {"n": 2}}
    assert events(second["rooms"]["join"][room_id]) == {"r.two": {}}
    assert "account_data" not in await people.sync("ann", second["next_batch"])

    await people.enter("ann", later)
    third = await people.sync("ann", second["next_batch"])
    assert events(third["rooms"]["join"][later]) == {"r.one": {"n": 1}}
    assert "account_data" not in third


async def test_the_database_tells_the_same_as_memory(people: People) -> None:
    room_id = await people.found_room("ann")
    await people.ok("PUT", OWN + "g.old", {}, token="ann")
    first = await people.sync("ann")
    await people.ok("PUT", OWN + "g.new", {"n": 1}, token="ann")
    await people.ok("PUT", f"/user/@ann:test/rooms/{room_id}/account_data/r.new", {}, token="ann")
    await people.ok("DELETE", UNSTABLE + OWN + "g.old", token="ann")
    remembered = await people.sync("ann", first["next_batch"])
    reader = people.rooms.reader
    reader.recent(ACCOUNT_DATA).start(reader.positions["user"])
    read = await people.sync("ann", first["next_batch"])
    assert events(read) == events(remembered) == {"g.new": {"n": 1}, "g.old": {}}
    assert events(read["rooms"]["join"][room_id]) == events(remembered["rooms"]["join"][room_id]) == {"r.new": {}}


async def test_filters_choose(people: People) -> None:
    room_id = await people.found_room("ann")
    for kind in ("a.one", "b.one"):
        await people.ok("PUT", OWN + kind, {}, token="ann")
        await people.ok("PUT", f"/user/@ann:test/rooms/{room_id}/account_data/{kind}", {}, token="ann")
    part = {"types": ["a.*"]}
    chosen = await people.sync("ann", filter=json.dumps({"account_data": part, "room": {"account_data": part}}))
    assert list(events(chosen)) == list(events(chosen["rooms"]["join"][room_id])) == ["a.one"]
    nothing = await people.sync("ann", filter='{"account_data":{"types":[]},"room":{"account_data":{"types":[]}}}')
    assert events(nothing) == events(nothing["rooms"]["join"][room_id]) == {}


async def test_deleted_data_are_gone_and_told_as_empty(people: People) -> None:
    await people.ok("PUT", OWN + "x", {"n": 1}, token="ann")
    before = await people.sync("ann")
    for _ in range(2):
        await people.ok("DELETE", UNSTABLE + OWN + "x", token="ann")
    assert (await people.request("GET", OWN + "x", token="ann")).status == 404
    assert events(await people.sync("ann", before["next_batch"])) == {"x": {}}
    assert events(await people.sync("ann")) == {}


async def test_a_change_ends_a_long_poll(people: People) -> None:
    since = (await people.sync("ann"))["next_batch"]
    waiting = Deferred.fromCoroutine(people.sync("ann", since, timeout=30000))
    await people.ok("PUT", OWN + "x", {"n": 1}, token="ann")
    assert events(await waiting) == {"x": {"n": 1}}


async def test_a_gap_is_refilled(people: People) -> None:
    await people.ok("PUT", OWN + "x", {"n": 1}, token="ann")
    shard = await people.rooms.user_log.shard_of("@ann:test")
    upto = people.rooms.reader.positions["user"].floor(shard)
    storage = next(s for b in people.homeserver.built for s in b.storages if s.stream is ACCOUNT_DATA)
    found = await people.homeserver.kit.database.read(lambda txn: storage.load(txn, (shard << 44), upto + 1))
    assert [(fact.user_id, fact.type, fact.content) for fact in found] == [("@ann:test", "x", '{"n":1}')]


async def test_ignored_users_are_known_at_once(people: People) -> None:
    data = people.homeserver.front(UserData)
    assert await data.ignored_users("@ann:test") == frozenset()
    path = OWN + "m.ignored_user_list"
    await people.ok("PUT", path, {"ignored_users": {"@ben:test": {}, "@eve:else": {}}}, token="ann")
    await people.quiet()
    people.queries.clear()
    assert await data.ignored_users("@ann:test") == {"@ben:test", "@eve:else"}
    assert not people.queries
    await people.ok("DELETE", UNSTABLE + path, token="ann")
    assert await data.ignored_users("@ann:test") == frozenset()


async def test_events_of_ignored_users_are_held_back_in_sync(people: People) -> None:
    room_id = await people.found_room("ben")
    await people.enter("ann", room_id)
    await people.ok("PUT", OWN + "m.ignored_user_list", {"ignored_users": {"@ben:test": {}}}, token="ann")
    since = (await people.sync("ann"))["next_batch"]
    await people.say("ben", room_id, "unheard")
    await people.say("ann", room_id, "heard")
    timeline = (await people.sync("ann", since))["rooms"]["join"][room_id]["timeline"]
    assert [event["content"]["body"] for event in timeline["events"]] == ["heard"]


@pytest.mark.parametrize("content", [None, [], {}, {"ignored_users": ["@ben:test"]}, {"ignored_users": "@ben:test"}])
def test_a_malformed_list_ignores_nobody(content: object) -> None:
    assert ignored_in(content, "@ann:test") == frozenset()


def test_nobody_ignores_themself() -> None:
    content: dict[str, Any] = {"ignored_users": {"@ann:test": {}, "@ben:test": {}}}
    assert ignored_in(content, "@ann:test") == {"@ben:test"}


async def test_changes_of_one_thing_do_not_lose_each_other(people: People) -> None:
    data = people.homeserver.front(UserData)

    def add(name: str):
        return Deferred.fromCoroutine(data.change("@ann:test", GLOBAL, "x", lambda old: {**old, name: True}))

    for change in [add(name) for name in "abcdef"]:
        await change
    assert await data.get("@ann:test", GLOBAL, "x") == dict.fromkeys("abcdef", True)


async def test_other_features_answer_for_their_types(people: People) -> None:
    async def rules(user_id: str) -> dict:
        return {"of": user_id}

    people.homeserver.front(UserData).computed["m.push_rules"] = rules
    assert await people.ok("GET", OWN + "m.push_rules", token="ann") == {"of": "@ann:test"}


async def test_a_closed_account_keeps_nothing(people: People) -> None:
    await people.register("ann")
    await people.ok("PUT", OWN + "x", {"n": 1}, token="ann")
    await people.ok("PUT", "/user/@ann:test/rooms/!r:test/account_data/y", {"n": 1}, token="ann")
    await people.homeserver.front(Accounts).depart("@ann:test", False)
    assert await people.homeserver.front(UserData).get_all("@ann:test") == {}


def test_the_fact_says_whose_it_is() -> None:
    fact = AccountDataFact(user_id="@a:b", room_id="", type="t", content="{}")
    assert list(ACCOUNT_DATA.woken_by(fact)) == ["@a:b"]
