"""Messages, state, redactions, reactions; transaction ids; what it costs."""

from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.rooms.transactions import KEPT
from tests.kit.homeserver import TestServer
from tests.kit.room_features import house, state_of

__all__ = ["house"]

FORBIDDEN = (403, "M_FORBIDDEN")


async def put(house: TestServer, who: str, path: str, body: Any) -> tuple[int, str]:
    """(200, event id) or (status, errcode)."""
    answer = await house.request("PUT", path, body, token=who)
    return answer.status, answer.body["event_id"] if answer.status == 200 else answer.body["errcode"]


async def message(house: TestServer, who: str, room_id: str, txn: str, body: str = "hello") -> tuple[int, str]:
    content = {"msgtype": "m.text", "body": body}
    return await put(house, who, f"/rooms/{room_id}/send/m.room.message/{txn}", content)


async def state(house: TestServer, who: str, room_id: str, kind: str, content: Any, key: str = "") -> tuple[int, str]:
    return await put(house, who, f"/rooms/{room_id}/state/{kind}/{quote(key, safe='')}", content)


async def react(house: TestServer, who: str, room_id: str, target: str, key: str, txn: str) -> tuple[int, str]:
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": key}}
    return await put(house, who, f"/rooms/{room_id}/send/m.reaction/{txn}", content)


async def room_of_two(house: TestServer, **options: Any) -> str:
    room_id = await house.create_room("alice", preset="public_chat", **options)
    await house.join("bob", room_id)
    return room_id


async def test_a_message_reads_nothing(house: TestServer) -> None:
    room_id = await room_of_two(house)
    await message(house, "bob", room_id, "warm")
    await house.quiet()
    house.queries.clear()
    for number in range(5):
        assert (await message(house, "bob", room_id, f"t{number}"))[0] == 200
    assert house.queries
    assert [query for query in house.queries if not any(word in query for word in ("INSERT", "UPDATE"))] == []


async def test_transactions_belong_to_a_device(house: TestServer) -> None:
    room_id = await room_of_two(house)
    first = await message(house, "bob", room_id, "t1")
    assert await message(house, "bob", room_id, "t1", "other words") == first
    assert await message(house, "bob/PHONE", room_id, "t1") != first
    assert await message(house, "alice", room_id, "t1") != first
    house.rooms.live.drop_all()
    assert await message(house, "bob", room_id, "t1") == first


async def test_a_repeat_is_recognised_long_after(house: TestServer) -> None:
    room_id = await room_of_two(house)
    first = await message(house, "bob", room_id, "t1")
    for number in range(KEPT + 1):
        await message(house, "alice", room_id, f"later{number}")
    assert await message(house, "bob", room_id, "t1") == first
    await house.quiet()
    house.queries.clear()
    assert (await message(house, "alice", room_id, "new"))[0] == 200
    assert [query for query in house.queries if not any(word in query for word in ("INSERT", "UPDATE"))] == []


async def test_an_id_that_was_forgotten_may_be_used_again(house: TestServer) -> None:
    room_id = await room_of_two(house)
    first = await message(house, "bob", room_id, "t1")
    database = house.homeserver.kit.database
    await database.write(lambda txn: txn.run("UPDATE event_transactions SET received_ms = 1"))
    house.rooms.live.drop_all()
    second = await message(house, "bob", room_id, "t1")
    assert second[0] == 200 and second != first
    assert await message(house, "bob", room_id, "t1") == second


async def test_unknown_rooms_and_rooms_of_others_look_the_same(house: TestServer) -> None:
    room_id = await house.create_room("alice")
    assert await message(house, "bob", room_id, "t") == FORBIDDEN
    assert await message(house, "bob", "!unknown:test", "t") == FORBIDDEN
    assert await state(house, "bob", "!unknown:test", "m.room.name", {"name": "x"}) == FORBIDDEN
    assert await put(house, "bob", f"/rooms/{room_id}/redact/$x/t", {}) == FORBIDDEN


async def test_state(house: TestServer) -> None:
    room_id = await room_of_two(house)
    status, first = await put(house, "alice", f"/rooms/{room_id}/state/m.room.name", {"name": "One"})
    assert status == 200
    assert await state(house, "alice", room_id, "m.room.name", {"name": "One"}) == (200, first)
    assert (await state(house, "alice", room_id, "m.room.name", {"name": "Two"}))[1] != first
    assert (await state(house, "alice", room_id, "org.example", {"a": 1}, "k/e y"))[0] == 200
    found = await state_of(house, room_id)
    assert found["m.room.name", ""] == {"name": "Two"}
    assert found["org.example", "k/e y"] == {"a": 1}
    assert await state(house, "bob", room_id, "m.room.name", {"name": "Mine"}) == FORBIDDEN
    assert await state(house, "alice", room_id, "m.room.create", {}) == FORBIDDEN
    assert await state(house, "alice", room_id, "org.example", {}, "@bob:test") == FORBIDDEN
    assert await state(house, "alice", room_id, "m.room.server_acl", {"allow": ["other"]}) == FORBIDDEN
    assert await state(house, "alice", room_id, "m.room.server_acl", {"allow": ["*"], "deny": ["te*"]}) == FORBIDDEN
    assert (await state(house, "alice", room_id, "m.room.server_acl", {"allow": ["*"], "deny": ["evil"]}))[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("send/m.room.message/t", {"body": "x" * 70_000}, (413, "M_TOO_LARGE")),
        ("send/m.room.message/t", {"body": "x" * 300_000}, (413, "M_TOO_LARGE")),
        ("send/m.room.message/t", {"n": 1.5}, (400, "M_BAD_JSON")),
        ("send/m.room.message/t", {"n": 2**60}, (400, "M_BAD_JSON")),
        ("send/m.room.message/t", [], (400, "M_BAD_JSON")),
        ("send/m.room.message/t", b"{", (400, "M_NOT_JSON")),
        ("send/m.room.create/t", {}, FORBIDDEN),
        ("send/m.room.member/t", {"membership": "ban"}, FORBIDDEN),
        (f"send/{'t' * 300}/t", {}, (413, "M_TOO_LARGE")),
        (f"send/m.room.message/{'t' * 300}", {}, (413, "M_TOO_LARGE")),
        (f"state/org.example/{'k' * 300}", {}, (413, "M_TOO_LARGE")),
        ("send/m.room.message/a%00b", {}, (400, "M_INVALID_PARAM")),
        ("send/m.room.redaction/t", {}, (400, "M_BAD_JSON")),
        ("redact/$unknown/t", {}, (404, "M_NOT_FOUND")),
    ],
)
async def test_refusals_change_nothing(house: TestServer, path: str, body: Any, expected: tuple[int, str]) -> None:
    room_id = await house.create_room("alice")
    before = (await house.rooms.live.get(room_id)).head
    assert await put(house, "alice", f"/rooms/{room_id}/{path}", body) == expected
    assert (await house.rooms.live.get(room_id)).head == before


@pytest.mark.parametrize("version", ["2", "10", "12"])
async def test_redactions(house: TestServer, version: str) -> None:
    room_id = await room_of_two(house, room_version=version)
    _, of_alice = await message(house, "alice", room_id, "a")
    _, of_bob = await message(house, "bob", room_id, "b")
    assert await put(house, "bob", f"/rooms/{room_id}/redact/{quote(of_alice)}/r", {}) == FORBIDDEN
    status, redaction = await put(house, "bob", f"/rooms/{room_id}/redact/{quote(of_bob)}/r1", {"reason": "oops"})
    assert status == 200
    assert await put(house, "bob", f"/rooms/{room_id}/redact/{quote(of_bob)}/r1", {}) == (200, redaction)
    by_send = {"redacts": of_alice}
    assert (await put(house, "alice", f"/rooms/{room_id}/send/m.room.redaction/r2", by_send))[0] == 200
    found = await house.rooms.events.get([of_alice, of_bob, redaction])
    assert found[of_alice].event.content == {}
    assert found[of_bob].event.content == {}
    assert found[redaction].event.redacts == of_bob
    assert found[redaction].event.content["reason"] == "oops"
    _, third = await message(house, "bob", room_id, "c")
    assert (await put(house, "alice", f"/rooms/{room_id}/redact/{quote(third)}/r3", {}))[0] == 200


async def test_redactions_stay_in_their_room(house: TestServer) -> None:
    first, second = await room_of_two(house), await room_of_two(house)
    _, event_id = await message(house, "alice", first, "a")
    assert await put(house, "alice", f"/rooms/{second}/redact/{quote(event_id)}/r", {}) == (404, "M_NOT_FOUND")
    room = await house.rooms.live.get(second)
    create = room.create_event.event_id
    assert await put(house, "alice", f"/rooms/{second}/redact/{quote(create)}/r", {}) == FORBIDDEN


async def test_nobody_reacts_twice_in_the_same_way(house: TestServer) -> None:
    room_id = await room_of_two(house)
    _, target = await message(house, "alice", room_id, "m")
    status, reaction = await react(house, "bob", room_id, target, "👍", "1")
    assert status == 200
    assert await react(house, "bob", room_id, target, "👍", "1") == (200, reaction)
    assert await react(house, "bob", room_id, target, "👍", "2") == (400, "M_DUPLICATE_ANNOTATION")
    assert (await react(house, "bob", room_id, target, "👎", "3"))[0] == 200
    assert (await react(house, "alice", room_id, target, "👍", "4"))[0] == 200
    await put(house, "bob", f"/rooms/{room_id}/redact/{quote(reaction)}/r", {})
    assert (await react(house, "bob", room_id, target, "👍", "5"))[0] == 200
    assert await react(house, "bob", room_id, target, "x" * 501, "6") == (400, "M_INVALID_PARAM")
    assert await react(house, "bob", room_id, target, "a\0", "7") == (400, "M_INVALID_PARAM")


async def test_canonical_aliases_must_point_here(house: TestServer) -> None:
    room_id, other = await room_of_two(house, room_alias_name="one"), await house.create_room("bob")
    for alias, target in (("#two:test", room_id), ("#three:test", other)):
        await house.ok("PUT", f"/directory/room/{quote(alias)}", {"room_id": target}, token="bob")

    async def change(content: Any) -> tuple[int, str]:
        return await state(house, "alice", room_id, "m.room.canonical_alias", content)

    assert (await change({"alias": "#one:test", "alt_aliases": ["#two:test"]}))[0] == 200
    assert await change({"alias": "#three:test"}) == (400, "M_BAD_ALIAS")
    assert await change({"alias": "#one:test", "alt_aliases": ["#four:test"]}) == (400, "M_BAD_ALIAS")
    assert await change({"alias": "one"}) == (400, "M_INVALID_PARAM")
    assert await change({"alt_aliases": "#one:test"}) == (400, "M_BAD_JSON")
    assert (await change({}))[0] == 200
    # An alias that was there before may stay, even if it has gone from the directory.
    assert (await change({"alias": "#one:test"}))[0] == 200
    await house.ok("DELETE", "/directory/room/" + quote("#two:test"), token="bob")
    assert await change({"alias": "#two:test"}) == (400, "M_BAD_ALIAS")


_ONE = {"per_second": 0.001, "burst_count": 1}


@pytest.mark.config(rc_message=_ONE, rc_admin_redaction={"per_second": 100, "burst_count": 100})
async def test_limits(house: TestServer) -> None:
    room_id = await room_of_two(house)
    sent = await message(house, "bob", room_id, "1")
    assert await message(house, "bob", room_id, "2") == (429, "M_LIMIT_EXCEEDED")
    assert await message(house, "bob", room_id, "1") == sent
    assert await state(house, "bob", room_id, "m.room.name", {}) == (429, "M_LIMIT_EXCEEDED")
    for txn in ("r1", "r2"):
        assert (await put(house, "alice", f"/rooms/{room_id}/redact/{quote(sent[1])}/{txn}", {}))[0] == 200


async def test_guests_may_talk_where_they_are_let_in(house: TestServer) -> None:
    access = [{"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}]
    room_id = await room_of_two(house, initial_state=access)
    await house.join("?guest", room_id)
    assert (await message(house, "?guest", room_id, "1"))[0] == 200
