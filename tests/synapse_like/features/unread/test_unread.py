"""Unread counts as clients see them in /sync."""

import gc
from typing import Any, cast
from urllib.parse import quote
from weakref import ref

import pytest
from twisted.internet.defer import Deferred

from synapse_like.features.unread import UnreadNotices
from synapse_like.matrix.errors import AuthError
from synapse_like.rooms.front import Draft
from synapse_like.toolkit.db import Database
from tests.kit.caught_up import caught_up
from tests.kit.homeserver import TestServer

THREADS = '{"room":{"timeline":{"unread_thread_notifications":true}}}'


class Pair:
    """Ann, who writes, and Ben, who reads, in one room; Cat makes it more than a chat of two."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.ann = self.ben = self.cat = self.room = ""
        self.since: str | None = None
        self._sent = 0

    async def meet(self) -> None:
        self.ann, self.ben, self.cat = [await self.server.register(name) for name in ("ann", "ben", "cat")]
        self.room = await self.server.create_room(self.ann, preset="public_chat")
        for token in (self.ben, self.cat):
            await self.server.join(token, self.room)

    async def send(self, text: str, token: Any = "", **content: Any) -> str:
        self._sent += 1
        path = f"/rooms/{quote(self.room)}/send/m.room.message/t{self._sent}"
        body = {"msgtype": "m.text", "body": text, **content}
        return str((await self.server.ok("PUT", path, body, token=token or self.ann))["event_id"])

    async def reply(self, root: str, text: str, **content: Any) -> str:
        return await self.send(text, **{"m.relates_to": {"rel_type": "m.thread", "event_id": root}}, **content)

    async def read(self, event_id: str, thread: str | None = None, kind: str = "m.read") -> None:
        path = f"/rooms/{quote(self.room)}/receipt/{kind}/{quote(event_id)}"
        await self.server.ok("POST", path, {"thread_id": thread} if thread else {}, token=self.ben)

    async def redact(self, event_id: str) -> None:
        path = f"/rooms/{quote(self.room)}/redact/{quote(event_id)}/r{event_id[1:9]}"
        await self.server.ok("PUT", path, {}, token=self.ann)

    async def mute(self) -> None:
        rule: dict[str, Any] = {"actions": []}
        await self.server.ok("PUT", f"/pushrules/global/room/{quote(self.room)}", rule, token=self.ben)

    async def unread(self, token: str = "") -> tuple[int, int]:
        """(notifications, highlights) by an initial sync, which an incremental one must agree with."""
        return _counts((await self._told(token or self.ben, None))["unread_notifications"])

    async def told(self) -> tuple[int, int] | None:
        """What the next incremental sync of Ben's tells of the room, None if nothing."""
        await caught_up(self.server)
        answer = await self.server.sync(self.ben, self.since)
        self.since = answer["next_batch"]
        room = answer.get("rooms", {}).get("join", {}).get(self.room, {})
        return _counts(room["unread_notifications"]) if "unread_notifications" in room else None

    async def threads(self) -> tuple[tuple[int, int], dict[str, tuple[int, int]]]:
        """The main timeline's counts, and those of threads."""
        room = await self._told(self.ben, THREADS)
        threads = room.get("unread_thread_notifications", {})
        return _counts(room["unread_notifications"]), {root: _counts(counts) for root, counts in threads.items()}

    async def _told(self, token: str, chosen: str | None) -> Any:
        await caught_up(self.server)
        answer = await self.server.sync(token, **({"filter": chosen} if chosen else {}))
        return answer["rooms"]["join"][self.room]


class HeldDatabase:
    """Its reads end when the test says so."""

    def __init__(self) -> None:
        self.reads: list[Deferred[Any]] = []

    def read(self, _: Any) -> "Deferred[Any]":
        self.reads.append(Deferred())
        return self.reads[-1]


def _counts(part: Any) -> tuple[int, int]:
    return part["notification_count"], part["highlight_count"]


@pytest.fixture
async def pair(server: TestServer) -> Pair:
    met = Pair(server)
    await met.meet()
    return met


MENTION = {"m.mentions": {"user_ids": ["@ben:test"]}}


async def test_messages_of_others_count(pair: Pair) -> None:
    assert await pair.unread() == (0, 0)
    await pair.send("one")
    await pair.send("two", **MENTION)
    assert await pair.unread() == (2, 1)
    assert await pair.unread(pair.ann) == (0, 0)
    assert await pair.unread(pair.cat) == (2, 0)


async def test_incremental_syncs_tell_the_counts(pair: Pair) -> None:
    await pair.told()
    first = await pair.send("one")
    assert await pair.told() == (1, 0)
    await pair.send("two", **MENTION)
    assert await pair.told() == (2, 1)
    await pair.read(first)
    assert await pair.told() == (1, 1)
    assert await pair.told() is None
    await pair.send("three")
    assert await pair.told() == (2, 1) == await pair.unread()


async def test_a_private_receipt_counts_too_and_none_goes_back(pair: Pair) -> None:
    first, second = await pair.send("one"), await pair.send("two")
    await pair.read(second, kind="m.read.private")
    await pair.read(first)
    assert await pair.told() == (0, 0)


async def test_who_writes_has_read(pair: Pair) -> None:
    await pair.send("one", **MENTION)
    await pair.told()
    await pair.send("my own", pair.ben)
    assert await pair.told() == (0, 0) == await pair.unread()
    await pair.send("two")
    assert await pair.told() == (1, 0) == await pair.unread()


async def test_what_is_redacted_does_not_count(pair: Pair) -> None:
    first, second = await pair.send("one"), await pair.send("two", **MENTION)
    await pair.told()
    await pair.redact(second)
    assert await pair.told() == (1, 0) == await pair.unread()
    await pair.read(first)
    await pair.redact(first)
    assert await pair.told() == (0, 0) == await pair.unread()


async def test_a_muted_room_counts_no_more_and_keeps_what_it_had(pair: Pair) -> None:
    await pair.send("one")
    await pair.told()
    await pair.mute()
    await pair.send("two")
    await pair.send("three", **MENTION)
    assert await pair.told() == (2, 1) == await pair.unread()
    await pair.server.ok("DELETE", f"/pushrules/global/room/{quote(pair.room)}", token=pair.ben)
    last = await pair.send("four")
    assert await pair.told() == (3, 1) == await pair.unread()
    await pair.read(last)
    assert await pair.told() == (0, 0) == await pair.unread()


async def test_keywords_highlight(pair: Pair) -> None:
    rule = {"pattern": "cake", "actions": ["notify", {"set_tweak": "highlight"}]}
    await pair.server.ok("PUT", "/pushrules/global/content/cake", rule, token=pair.ben)
    await pair.send("there is Cake")
    await pair.send("pancakes")
    assert await pair.unread() == (2, 1)
    assert await pair.unread(pair.cat) == (2, 0)


async def test_rules_that_were_changed_before_a_room_is_loaded_count(pair: Pair) -> None:
    pair.server.rooms.live.drop_all()
    await pair.mute()
    await pair.send("one")
    assert await pair.unread() == (0, 0)
    pair.server.rooms.live.drop_all()
    await pair.send("two")
    assert await pair.unread() == (0, 0)
    assert await pair.unread(pair.cat) == (2, 0)


async def test_own_rules_count_from_the_join_on(pair: Pair) -> None:
    dan = await pair.server.register("dan")
    rule: dict[str, Any] = {"actions": []}
    await pair.send("before")
    await pair.server.ok("PUT", f"/pushrules/global/room/{quote(pair.room)}", rule, token=dan)
    await pair.server.join(dan, pair.room)
    await pair.send("after")
    assert await pair.unread(dan) == (0, 0)


async def test_who_comes_back_has_read_everything(pair: Pair) -> None:
    await pair.send("one", **MENTION)
    await pair.server.ok("POST", f"/rooms/{quote(pair.room)}/leave", {}, token=pair.ben)
    await pair.send("two")
    await pair.server.join(pair.ben, pair.room)
    assert await pair.unread() == (0, 0)
    await pair.send("three")
    assert await pair.unread() == (1, 0)


async def test_threads_count_by_themselves(pair: Pair) -> None:
    root = await pair.send("root")
    await pair.reply(root, "a")
    last = await pair.reply(root, "b", **MENTION)
    assert await pair.threads() == ((1, 0), {root: (2, 1)})
    assert await pair.unread() == (3, 1)
    await pair.read(last, thread=root)
    assert await pair.threads() == ((1, 0), {})
    await pair.reply(root, "c")
    pair.server.rooms.live.drop_all()
    await pair.reply(root, "d")
    assert await pair.threads() == ((1, 0), {root: (2, 0)})
    await pair.read(root, thread="main")
    assert await pair.threads() == ((0, 0), {root: (2, 0)})
    await pair.read(await pair.reply(root, "e"))
    assert await pair.threads() == ((0, 0), {})


async def test_threads_and_members_that_are_new_are_looked_up_at_the_same_time(pair: Pair) -> None:
    root = await pair.send("root")
    relation = {"rel_type": "m.thread", "event_id": root}
    reply = Draft(type="m.room.message", sender="@cat:test", content={"m.relates_to": relation})
    joins = Draft(type="m.room.member", sender="@eve:test", state_key="@eve:test", content={"membership": "join"})
    database = HeldDatabase()
    notices = UnreadNotices(cast(Database, database), pair.server.homeserver.kit.clock, "test")
    room = await pair.server.rooms.live.get(pair.room)
    prepared = Deferred.fromCoroutine(notices.prepare(room, [reply, joins]))
    assert len(database.reads) == 2
    for read in database.reads:
        read.callback({})
    await prepared
    assert root in room.thread_counters and room.notices.counts_for("@eve:test")


async def test_a_batch_that_is_refused_half_way_counts_nothing(pair: Pair) -> None:
    root = await pair.send("root")
    await pair.reply(root, "a")
    relation = {"rel_type": "m.thread", "event_id": root}
    content = {"msgtype": "m.text", "body": "b", "m.relates_to": relation}
    allowed = Draft(type="m.room.message", sender="@cat:test", content=content)
    plain = Draft(type="m.room.message", sender="@cat:test", content={"msgtype": "m.text", "body": "c"})
    joins = Draft(type="m.room.member", sender="@eve:test", state_key="@eve:test", content={"membership": "join"})
    refused = Draft(type="m.room.name", sender="@cat:test", state_key="", content={"name": "cat's"})
    with pytest.raises(AuthError):
        await pair.server.rooms.creation.send_all(pair.room, [allowed, plain, joins, refused])
    await pair.reply(root, "d")
    assert await pair.threads() == ((1, 0), {root: (2, 0)})


async def test_a_chat_of_two_counts(server: TestServer) -> None:
    pair = Pair(server)
    pair.ann, pair.ben = await server.register("ann"), await server.register("ben")
    pair.room = await server.create_room(pair.ann, invite=["@ben:test"], is_direct=True)
    await server.join(pair.ben, pair.room)
    await pair.send("one")
    assert await pair.unread() == (1, 0)


async def test_counts_take_as_many_queries_for_many_rooms_as_for_one(pair: Pair) -> None:
    async def queries() -> int:
        await caught_up(pair.server)
        await pair.server.quiet()
        pair.server.queries.clear()
        await pair.server.sync(pair.ben)
        return len([text for text in pair.server.queries if "unread" in text or "notified" in text])

    root = await pair.send("one")
    await pair.reply(root, "a")
    few = await queries()
    for _ in range(3):
        pair.room = await pair.server.create_room(pair.ann, preset="public_chat")
        await pair.server.join(pair.ben, pair.room)
        root = await pair.send("root")
        await pair.reply(root, "a")
    assert await queries() == few


async def test_a_woken_sync_asks_the_database_nothing_about_counts(pair: Pair) -> None:
    await pair.told()
    await pair.send("one")
    await pair.told()
    event = await pair.send("two", **MENTION)
    await pair.read(event)
    await caught_up(pair.server)
    await pair.server.quiet()
    pair.server.queries.clear()
    assert await pair.told() == (0, 0)
    assert not [text for text in pair.server.queries if "unread" in text]


async def test_events_of_ignored_users_do_not_count(pair: Pair) -> None:
    path = "/user/@ben:test/account_data/m.ignored_user_list"
    await pair.server.ok("PUT", path, {"ignored_users": {"@ann:test": {}}}, token=pair.ben)
    await caught_up(pair.server)
    await pair.send("one", **MENTION)
    await pair.send("two", pair.cat)
    assert await pair.unread() == (1, 0)
    pair.server.rooms.live.drop_all()
    await pair.send("three", **MENTION)
    assert await pair.unread() == (1, 0)
    assert await pair.unread(pair.cat) == (1, 0)
    await pair.server.ok("PUT", path, {"ignored_users": {}}, token=pair.ben)
    await caught_up(pair.server)
    await pair.send("four")
    assert await pair.unread() == (2, 0)


async def test_a_live_room_that_is_dropped_is_freed_without_the_garbage_collector(server: TestServer) -> None:
    pair = Pair(server)
    await pair.meet()
    await pair.send("hello")
    gc.disable()
    try:
        kept = ref(await server.rooms.live.get(pair.room))
        server.rooms.live.drop_all()
        await server.create_room(pair.ann)  # the committer has had something else to do
        assert kept() is None
    finally:
        gc.enable()
