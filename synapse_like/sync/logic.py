"""One response: from memory if memory reaches back, else from one snapshot; and the long poll around it."""

from collections.abc import Sequence
from dataclasses import dataclass

from replication import sql as replication_sql
from replication.positions import Vector
from synapse_like.matrix.filters import Filter
from synapse_like.rooms.facts import EVENTS
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.memberships import rooms_in
from synapse_like.sync.from_database import Found, rooms_from_database
from synapse_like.sync.from_memory import NotInMemory, rooms_from_memory
from synapse_like.sync.metrics import SyncMeters
from synapse_like.sync.notifier import Notifier, Watch
from synapse_like.sync.ports import Preferences
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.rooms_part import RoomNews, put_invited, put_joined, put_left
from synapse_like.sync.section import Learning, Section, Standing, SyncContext
from synapse_like.sync.tokens import SyncToken
from synapse_like.sync.whole_rooms import WholeRooms
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.requester import Requester
from synapse_like.toolkit.metrics import seconds

_FETCHES = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks."""

    requester: Requester
    since: SyncToken | None
    filter: Filter
    timeout_ms: int = 0
    is_full_state: bool = False
    uses_state_after: bool = False


class Sync:
    """Answers /sync. `process` names this process in tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rooms: Rooms,
        notifier: Notifier,
        sections: Sequence[Section],
        preferences: Preferences,
        process: int,
        meters: SyncMeters,
    ) -> None:
        self.whole_rooms = WholeRooms(rooms.events.peek)
        self._meters = meters
        self._notifier = notifier
        self._database = database
        self._clock = clock
        self._rooms = rooms
        self._sections = sections
        self._standing = [section for section in sections if isinstance(section, Standing)]
        self._learning = [section for section in sections if isinstance(section, Learning)]
        self._preferences = preferences
        self._process = process

    async def answer(self, question: Question) -> tuple[SyncResponse, SyncToken]:
        """The response and the place after it; waits up to `timeout_ms` for something to tell."""
        for section in self._learning if question.since is not None else ():
            if not section.knows(question.requester):
                await section.learn(question.requester)
        if question.since is None or question.is_full_state or not question.timeout_ms:
            return self._nothing(question) or await self._once(question)
        deadline_ms = self._clock.monotonic_ms() + question.timeout_ms
        user_id = question.requester.user_id
        who = user_id, question.requester.device_id
        while True:
            joined = await self._rooms.memberships.joined_rooms(user_id)
            watch = self._notifier.follow(who, user_id, joined)
            rings = watch.rings
            try:
                response, now = self._nothing(question) or await self._once(question, watch)
                left_ms = deadline_ms - self._clock.monotonic_ms()
                if not response.is_empty() or left_ms <= 0:
                    return response, now
                if not await watch.wait(self._clock, left_ms / 1000, rings) or self._notifier.is_closed:
                    return response, now
            finally:
                self._notifier.leave(who, watch)

    def place_now(self) -> SyncToken:
        """The place that this process has reached."""
        reader = self._rooms.reader
        positions = reader.positions
        return SyncToken(reader.incarnation, self._process, reader.ephemeral, positions["room"], positions["user"])

    def since(self, text: str | None) -> SyncToken | None:
        """The place in a client's token; None for one that is unknown here, which is answered as an initial sync."""
        token = SyncToken.decode(text) if text else None
        if token is None or token.incarnation != self._rooms.reader.incarnation:
            return None
        widths = {name: len(vector) for name, vector in self._rooms.reader.positions.items()}
        if len(token.rooms) != widths["room"] or len(token.users) != widths["user"]:
            return None
        return token

    def _nothing(self, question: Question) -> tuple[SyncResponse, SyncToken] | None:
        """The empty response, if nothing at all has happened on the server since the client last asked."""
        since, now = question.since, self.place_now()
        if since is None or since != now or question.is_full_state:
            return None
        response = SyncResponse()
        for section in self._standing:
            told = section.nothing_new(question.requester, since)
            if told is None:
                return None
            response.extras.update(told)
        self._meters.empty.value += 1
        return response, now

    async def _once(self, question: Question, watch: Watch | None = None) -> tuple[SyncResponse, SyncToken]:
        began = seconds()
        context = await self._context(question, watch)
        recent = self._rooms.reader.recent(EVENTS)
        if context.since is not None and not context.is_full_state:
            for _ in range(_FETCHES):
                try:
                    news, missing = rooms_from_memory(context, recent.since, self._rooms.events)
                except NotInMemory:
                    break
                if not missing:
                    response = self._from_memory(context, news)
                    if response is not None:
                        self._meters.answered("memory", began)
                        return response, context.now
                    break
                await self._rooms.events.get(missing)
        answer = await self._from_database(context)
        self._meters.answered("database", began)
        return answer

    async def _context(self, question: Question, watch: Watch | None) -> SyncContext:
        user_id = question.requester.user_id
        ignored = await self._preferences.ignored_users(user_id)
        rooms = await self._rooms.memberships.rooms_of(user_id)
        joined = await self._rooms.memberships.joined_rooms(user_id)
        now = self.place_now()
        since, touched = question.since, None
        if since is not None:
            now = SyncToken(
                now.incarnation,
                now.process,
                now.ephemeral,
                now.rooms.joined(since.rooms),
                now.users.joined(since.users),
            )
            if watch is not None and watch.rooms is joined:  # not so if a room has been joined meanwhile
                touched = watch.touched(since.rooms)
        return SyncContext(
            requester=question.requester,
            user_shard=question.requester.shard,
            since=since,
            now=now,
            filter=question.filter,
            rooms=rooms,
            touched=touched,
            is_full_state=question.is_full_state,
            uses_state_after=question.uses_state_after,
            now_ms=self._clock.now_ms(),
            is_same_process=since is not None and since.process == self._process,
            ignored_users=ignored,
        )

    def _from_memory(self, context: SyncContext, news: Sequence[RoomNews]) -> SyncResponse | None:
        """The response from memory; None if a section's memory does not reach back."""
        response = SyncResponse()
        for each in news:
            put_joined(context, each, {}, response)
        for section in self._sections:
            if not section.from_memory(context, response) and not section.is_ephemeral:
                return None
        return response

    async def _from_database(self, context: SyncContext) -> tuple[SyncResponse, SyncToken]:
        """The response from one snapshot, which also tells the place."""
        response = SyncResponse()

        def read(transaction: Transaction) -> Found:
            positions = replication_sql.all_positions(transaction)
            now = context.now
            context.now = SyncToken(
                now.incarnation, now.process, now.ephemeral, Vector(positions["room"]), Vector(positions["user"])
            )
            if context.since is not None and not _is_before(context.since, context.now):
                context.since = None
            context.rooms = rooms_in(transaction, context.user_id)
            found = rooms_from_database(transaction, context, self._rooms.events, self.whole_rooms)
            self._put(context, found, response)
            for section in self._sections:
                if not section.is_ephemeral:
                    section.from_database(transaction, context, response)
            return found

        await self._database.read(read)
        for section in self._sections:
            if section.is_ephemeral:
                section.from_memory(context, response)
        return response, context.now

    def _put(self, context: SyncContext, found: Found, response: SyncResponse) -> None:
        for news in found.joined:
            put_joined(context, news, found.transactions, response)
        for news in found.left:
            put_left(context, news, found.transactions, response)
        for room, event in found.invited:
            put_invited(context, room, event, response)


def _is_before(since: SyncToken, now: SyncToken) -> bool:
    """Whether a token lies within what is committed; one that does not is unknown."""
    return now.rooms.reaches(since.rooms) and now.users.reaches(since.users)
