"""What GET /notifications lists, and in which order."""

from typing import Any
from urllib.parse import quote

from tests.kit.caught_up import caught_up
from tests.kit.homeserver import TestServer
from tests.synapse_like.features.unread.test_unread import MENTION, Pair, pair

__all__ = ["pair"]


async def listed(server: TestServer, token: str, **query: Any) -> Any:
    await caught_up(server)
    return await server.ok("GET", "/notifications", token=token, query=query)


def ids(answer: Any) -> list[str]:
    return [notification["event"]["event_id"] for notification in answer["notifications"]]


async def test_what_notified_is_listed_newest_first(pair: Pair) -> None:
    one, two = await pair.send("one"), await pair.send("two", **MENTION)
    await pair.send("quiet", msgtype="m.notice")
    await pair.send("mine", pair.ben)
    three = await pair.send("three")
    await pair.redact(three)
    answer = await listed(pair.server, pair.ben)
    assert ids(answer) == [two, one]
    assert "next_token" not in answer
    newest = answer["notifications"][0]
    assert newest["room_id"] == newest["event"]["room_id"] == pair.room
    assert newest["actions"] == ["notify", {"set_tweak": "sound", "value": "default"}, {"set_tweak": "highlight"}]
    assert newest["event"]["content"]["body"] == "two"
    assert newest["ts"] > 0
    assert ids(await listed(pair.server, pair.ben, only="highlight")) == [two]


async def test_the_list_comes_in_pages(pair: Pair) -> None:
    sent = [await pair.send(f"{index}") for index in range(5)]
    got: list[str] = []
    answer = await listed(pair.server, pair.ben, limit=2)
    while True:
        got += ids(answer)
        if "next_token" not in answer:
            break
        answer = await listed(pair.server, pair.ben, limit=2, **{"from": answer["next_token"]})
    assert got == sent[::-1]


async def test_it_says_what_was_read(pair: Pair) -> None:
    one, two = await pair.send("one"), await pair.send("two")
    await pair.read(one)
    answer = await listed(pair.server, pair.ben)
    assert [(e["event"]["event_id"], e["read"]) for e in answer["notifications"]] == [(two, False), (one, True)]


async def test_only_rooms_and_times_of_membership_are_listed(pair: Pair) -> None:
    dan = await pair.server.register("dan")
    await pair.send("before")
    assert ids(await listed(pair.server, dan)) == []
    await pair.server.join(dan, pair.room)
    after = await pair.send("after")
    assert ids(await listed(pair.server, dan)) == [after]
    await pair.server.ok("POST", f"/rooms/{quote(pair.room)}/leave", {}, token=dan)
    assert ids(await listed(pair.server, dan)) == []


async def test_bad_questions(pair: Pair) -> None:
    for query in ({"from": "x"}, {"from": "1_2_3"}, {"limit": "0"}, {"limit": "many"}):
        answer = await pair.server.request("GET", "/notifications", token=pair.ben, query=query)
        assert (answer.status, answer.body["errcode"]) == (400, "M_INVALID_PARAM"), query


async def test_ignored_users_are_not_listed(pair: Pair) -> None:
    await pair.send("one")
    two = await pair.send("two", pair.cat)
    path = "/user/@ben:test/account_data/m.ignored_user_list"
    await pair.server.ok("PUT", path, {"ignored_users": {"@ann:test": {}}}, token=pair.ben)
    assert ids(await listed(pair.server, pair.ben)) == [two]
