"""Counting the events of live rooms, for their owner: `rooms.ports.Notices`.

A send costs nothing per member. What is read from the database: the rules of those members of a room who have rules of
their own, when it becomes live; the rules of who joins; the counters of a thread, when it is first written to.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from weakref import WeakSet

import orjson
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from synapse_like.features.account_data import (
    ACCOUNT_DATA,
    GLOBAL,
    IGNORED_USERS,
    AccountDataFact,
    ignore_lists,
    ignored_in,
)
from synapse_like.features.push_rules import PUSH_RULES, PushRulesFact, rules_of
from synapse_like.features.unread.counting import NOTHING, StoredMode
from synapse_like.features.unread.room_notices import RoomNotices
from synapse_like.features.unread.sql import writing as sql
from synapse_like.features.unread.stream import MODES, ModeFact
from synapse_like.features.unread.threads import thread_of
from synapse_like.features.unread.wishes import NO_RULES, NOBODY, NONE, Wishes
from synapse_like.matrix.events import Event
from synapse_like.matrix.push_rules import Ruleset
from synapse_like.rooms.facts import TrunkChange
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.rooms.ports import Outcome, Prospect
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.gathered import Gathered
from synapse_like.toolkit.together import together

logger = logging.getLogger(__name__)

_FRESH_WISHES = 1000
_KNOWN_WISHES = 10_000
_ROOMS_AT_ONCE = 50


class UnreadNotices:
    """Made before the spine, which calls it; `attach` gives it the spine."""

    def __init__(self, database: Database, clock: Clock, server_name: str) -> None:
        self._database = database
        self._clock = clock
        self._server_name = server_name
        self._spine: Rooms | None = None
        self._stored = Gathered(self._read)
        self._live: WeakSet[RoomNotices] = WeakSet()
        self._fresh: OrderedDict[str, Wishes] = OrderedDict()
        """What was changed lately: it may be newer than what is being read."""
        self._known: OrderedDict[str, Wishes] = OrderedDict()
        """The wishes of users who joined lately, kept current: they join again."""

    def attach(self, rooms: Rooms) -> None:
        """Say where modes are told, and rooms dropped."""
        self._spine = rooms
        rooms.reader.subscribe(ACCOUNT_DATA, self._take_account_data)
        rooms.reader.subscribe(PUSH_RULES, self._take_push_rules)

    async def load(self, room: LiveRoom) -> None:
        """Compile the rules of the room's local members: three queries, none for a room that has just been made."""
        users = [user_id for user_id, member in room.members.items() if member.membership == "join"]
        nid = room.identity.room_nid
        told: dict[str, int] = {}
        wishes: dict[str, Wishes] = {}
        if room.head.extremities:
            told, wishes = await self._database.read(lambda txn: (sql.modes_now(txn, nid), _wishes_of(txn, users)))
        modes = {user_id: StoredMode(mode) for user_id, mode in told.items()}
        room.notices = notices = RoomNotices(room, modes, self._server_name)
        for user_id in users:
            if user_id in wishes or user_id in self._fresh:
                notices.learn(user_id, self._newest(user_id, wishes))
        self._tell(notices, notices.place_everybody())
        self._live.add(notices)

    async def prepare(self, room: LiveRoom, events: Sequence[Prospect]) -> None:
        """Load the counters of threads, and the rules of users who are about to join, at the same time."""
        notices: RoomNotices = room.notices
        roots = {root for event in events if (root := thread_of(event.content, event.state_key)) is not None}
        unknown_roots = sorted(roots - room.thread_counters.keys())
        joining = [
            user_id for user_id in _joining(events) if notices.is_local(user_id) and not notices.counts_for(user_id)
        ]
        known = {user_id: self._known[user_id] for user_id in joining if user_id in self._known}
        loads = [self._load_wishes(user_id, known) for user_id in joining if user_id not in known]
        if unknown_roots:
            loads.append(self._load_threads(room, unknown_roots))
        if loads:
            await together(loads)
        for user_id in joining:
            notices.learn(user_id, self._remember(user_id, self._newest(user_id, known)))

    def count(self, room: LiveRoom, event: Event, trunk: Sequence[TrunkChange]) -> Outcome:
        """What an event gives to the members, who are brought up to date first."""
        notices: RoomNotices = room.notices
        members = [change.state_key for change in trunk if change.type == MEMBER]
        self._tell(notices, notices.follow(members, has_changed=bool(trunk)))
        return notices.count(event)

    async def rules_changed(self, user_id: str, number: int, ruleset: Ruleset) -> None:
        """Count by a user's new rules from now on, in every live room; returns when the rooms' logs know."""
        await self._wishes_changed(user_id, Wishes(rules=(number, ruleset)))

    async def _wishes_changed(self, user_id: str, change: Wishes) -> None:
        self._fresh[user_id] = change.newest(self._fresh.pop(user_id, NONE))
        if user_id in self._known:
            self._known[user_id] = change.newest(self._known[user_id])
        if len(self._fresh) > _FRESH_WISHES:
            self._fresh.popitem(last=False)
        told: list[Deferred[None]] = []
        rooms = [notices for notices in self._live if notices.counts_for(user_id) and not notices.room.is_dropped]
        for index, notices in enumerate(rooms, 1):
            if index % _ROOMS_AT_ONCE == 0:
                await self._clock.sleep(0)
            if notices.counts_for(user_id) and not notices.room.is_dropped:
                notices.learn(user_id, change)
                if notices.place(user_id):
                    told += self._tell(notices, [user_id])
        for waiter in told:
            await waiter

    async def _load_wishes(self, user_id: str, known: dict[str, Wishes]) -> None:
        wishes = await self._stored.get(user_id)
        if wishes is not None:
            known[user_id] = wishes

    async def _load_threads(self, room: LiveRoom, roots: Sequence[str]) -> None:
        nid = room.identity.room_nid
        threads = await self._database.read(lambda txn: sql.threads(txn, nid, roots))
        for root in roots:
            room.thread_counters.setdefault(root, threads.get(root, NOTHING))

    async def _read(self, user_ids: Sequence[str]) -> dict[str, Wishes]:
        return await self._database.read(lambda txn: _wishes_of(txn, user_ids))

    def _take_account_data(self, facts: Sequence[AccountDataFact]) -> None:
        for fact in facts:
            if fact.type == IGNORED_USERS and fact.room_id == GLOBAL:
                ignored = ignored_in(orjson.loads(fact.content), fact.user_id)
                changed = self._wishes_changed(fact.user_id, Wishes(ignored=(fact.number, ignored)))
                _ = Deferred.fromCoroutine(changed).addErrback(_log)

    def _take_push_rules(self, facts: Sequence[PushRulesFact]) -> None:
        """Rules are changed where their user lives, and count where rooms live."""
        for fact in facts:
            changed = self.rules_changed(fact.user_id, fact.number, fact.ruleset())
            _ = Deferred.fromCoroutine(changed).addErrback(_log)

    def _remember(self, user_id: str, wishes: Wishes) -> Wishes:
        self._known[user_id] = wishes
        self._known.move_to_end(user_id)
        if len(self._known) > _KNOWN_WISHES:
            self._known.popitem(last=False)
        return wishes

    def _newest(self, user_id: str, wishes: dict[str, Wishes]) -> Wishes:
        """What was read, or what has come since."""
        return wishes.get(user_id, NONE).newest(self._fresh.get(user_id, NONE))

    def _tell(self, notices: RoomNotices, users: Sequence[str]) -> "list[Deferred[None]]":
        """Put members' new modes into the room's log, behind all that was counted by the old ones."""
        if not users or self._spine is None:
            return []
        room = notices.room
        facts = []
        for user_id in users:
            mode = notices.told[user_id] = notices.mode_of(user_id)
            facts.append(
                ModeFact(
                    room_id=room.identity.room_id,
                    room_nid=room.identity.room_nid,
                    user_id=user_id,
                    mode=mode,
                    notified=room.head.notified,
                    highlighted=room.head.highlighted,
                )
            )
        identity, live = room.identity, self._spine.live

        def failed(_: Failure) -> None:
            live.drop(room)

        waiter = self._spine.room_log.append(identity.shard, identity.room_id, [(MODES, fact) for fact in facts])
        return [waiter.addErrback(failed)]


def _joining(events: Iterable[Prospect]) -> Iterable[str]:
    for event in events:
        if event.type == MEMBER and event.state_key is not None and event.content.get("membership") == "join":
            yield event.state_key


def _wishes_of(transaction: Transaction, user_ids: Sequence[str]) -> dict[str, Wishes]:
    """What those users want who ever changed anything; two queries."""
    rules, ignored = rules_of(transaction, user_ids), ignore_lists(transaction, user_ids)
    return {
        user_id: Wishes(rules.get(user_id, NO_RULES), ignored.get(user_id, NOBODY))
        for user_id in rules.keys() | ignored.keys()
    }


def _log(failure: Failure) -> None:
    logger.error("the wishes of a user could not be taken in", exc_info=failure.value)
