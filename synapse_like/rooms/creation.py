"""Events made here: drafts become events, are checked against the auth rules, extend the live room and are queued.

From the first look at the room's head to the append nothing waits, so that no lock is needed; what has to be read (the
numbers of new state keys, a remote member) is read before. The answer comes after the commit. Only a room that has a
policy server is parked instead, while that server is asked about the event as it will be.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from replication.committer import Append, Dropped, Extra
from replication.log import Log
from replication.owned import owned
from synapse_like.matrix.auth_rules import auth_keys_for, check_auth
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.errors import RoomInUse
from synapse_like.matrix.events import Event
from synapse_like.matrix.policy_servers import POLICY
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.signatures import build_event
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms.changes import Change, Restore, extend
from synapse_like.rooms.event_store import MAX_DEPTH, EventStore, StoredEvent
from synapse_like.rooms.facts import EVENTS, TRUNK, EventFact, Head, Kind, StateRef
from synapse_like.rooms.families import ROOM, fresh_shard
from synapse_like.rooms.live import MEMBER, LiveRoom, RoomIdentity
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.numbers import KeyNumbers, NumberBlock, RoomNumbers
from synapse_like.rooms.ports import NoPolicyServers, Notices, PolicyServers
from synapse_like.rooms.redactions import takes_effect
from synapse_like.rooms.sql.numbers import add_room
from synapse_like.rooms.transactions import RecentTransactions, TransactionKey
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Transaction

_TRIES = 4
_MAX_PREV_EVENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody here wants to send. `extras` go to clients in `unsigned` and are not part of the event."""

    type: str
    sender: str
    content: Mapping[str, Any]
    state_key: str | None = None
    redacts: str | None = None
    origin_server_ts: int | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: our name and key."""

    server_name: str
    signing_key: SigningKey


@dataclass(frozen=True, slots=True)
class Numbers:
    """The sources of numbers that events need."""

    keys: KeyNumbers
    events: NumberBlock
    rooms: RoomNumbers


@dataclass(slots=True)
class Prepared:
    """What had to be waited for before drafts can be built."""

    first_nid: int
    keys: dict[tuple[str, str], int]
    replaced: dict[str, StoredEvent]
    targets: dict[str, StoredEvent]


Check = Callable[[LiveRoom], Awaitable[None] | None]


class EventCreation:
    """Makes events for local users."""

    def __init__(
        self,
        identity: Identity,
        rooms: LiveRooms,
        log: Log,
        numbers: Numbers,
        events: EventStore,
        clock: Clock,
        notices: Notices,
    ) -> None:
        self._identity = identity
        self._rooms = rooms
        self._log = log
        self._numbers = numbers
        self._events = events
        self._clock = clock
        self._notices = notices
        self._created_ms = 0
        self.policy_servers: PolicyServers = NoPolicyServers()
        """Asked about events of rooms that have one; federation puts itself here."""

    @owned(ROOM, "room_id")
    async def send(self, room_id: str, draft: Draft, *, transaction: TransactionKey | None = None) -> str:
        """Send one event; its id, after the commit. A repeated `transaction` gives the first one's event.

        Raises AuthError, BadJson, TooLarge, NotFound (no such room), or what the database raises.
        """
        if transaction is None:
            return (await self._send_all(room_id, [draft], None))[0]
        room = await self._rooms.get(room_id)
        flying = room.in_flight.get(transaction)
        if flying is not None:
            return await _joined(flying)
        done = await self._rooms.event_of_transaction(room, transaction)
        if done is not None:
            return done
        if (flying := room.in_flight.get(transaction)) is not None:
            return await _joined(flying)
        result: Deferred[str] = Deferred()
        room.in_flight[transaction] = result
        try:
            event_id = (await self._send_all(room_id, [draft], transaction))[0]
        except BaseException as error:
            _ = result.addErrback(_heard)
            result.errback(error)
            raise
        else:
            result.callback(event_id)
            return event_id
        finally:
            room.in_flight.pop(transaction, None)

    @owned(ROOM, "room_id")
    async def send_all(self, room_id: str, drafts: Sequence[Draft]) -> list[str]:
        """Send several events to one room, all or none, in one commit; their ids.

        State that changes nothing is not sent again: the id of the event in force is given.
        """
        return await self._send_all(room_id, drafts, None)

    async def _send_all(self, room_id: str, drafts: Sequence[Draft], transaction: TransactionKey | None) -> list[str]:
        """Here, whoever owns the room by then: the owner has to look first whether it knows the transaction."""
        for attempt in range(1, _TRIES + 1):
            room = await self._rooms.get(room_id)
            if room.turn.locked:
                await room.unparked()
            prepared = await self._prepare(room, drafts)
            if room.is_dropped:
                continue
            has_turn = room.turn.locked or _may_ask(room, drafts)
            if has_turn:
                await room.turn.acquire()
            try:
                if has_turn:
                    prepared = await self._prepare(room, drafts)
                if not room.is_dropped:
                    return await self._build_and_store(room, drafts, prepared, transaction)
            except Dropped:
                if attempt == _TRIES:
                    raise
            finally:
                if has_turn:
                    room.turn.release()
        raise Dropped()

    async def template(self, room_id: str, draft: Draft) -> dict[str, Any]:
        """The PDU of a draft by a user of another server, who has to sign it: allowed now, without hashes and id.

        Raises AuthError, NotFound.
        """
        pdu = dict((await self._proposed(room_id, draft)).pdu)
        return {key: value for key, value in pdu.items() if key not in ("hashes", "signatures", "event_id")}

    async def propose(self, room_id: str, draft: Draft) -> Event:
        """The event of a draft, signed by us and allowed now, which is not sent yet: others have to sign it, too."""
        event = await self._proposed(room_id, draft)
        return await self.policy_servers.recommended(await self._rooms.get(room_id), event)

    async def _proposed(self, room_id: str, draft: Draft) -> Event:
        for _ in range(_TRIES):
            room = await self._rooms.get(room_id)
            if room.turn.locked:
                await room.unparked()
            prepared = await self._prepare(room, [draft])
            if not room.is_dropped:
                return self._event(room, draft, prepared.first_nid)
        raise Dropped()

    async def found_room(
        self, version: RoomVersion, room_id: str | None, create: Draft, drafts: Sequence[Draft]
    ) -> str:
        """Make a room: its create event and what follows, in one commit; the room's id. Raises RoomInUse.

        `room_id` is chosen by the caller before version 12, and None from then on: then it follows from the create
        event, so that rooms that one user makes in the same millisecond would be one.
        """
        for _ in range(_TRIES - 1):
            with suppress(RoomInUse):  # by another process, in the same millisecond
                return await self._found_room(version, room_id, create, drafts)
        return await self._found_room(version, room_id, create, drafts)

    async def _found_room(
        self, version: RoomVersion, room_id: str | None, create: Draft, drafts: Sequence[Draft]
    ) -> str:
        first = await self._numbers.events.take()
        self._created_ms = max(self._clock.now_ms(), self._created_ms + 1)
        event = self._sign(_create_pdu(create, room_id, self._created_ms), version, first)
        shard = self._log.choose(fresh_shard(ROOM, event.room_id))
        nid = await self._numbers.rooms.take()
        room = _new_room(RoomIdentity(event.room_id, nid, version, shard))
        await self._notices.load(room)
        prepared = await self._prepare(room, [create, *drafts])
        check_auth(event, {})
        facts = [self._accept(room, event, create, prepared, 0, None)]
        facts += await self._build(room, drafts, prepared, 1, None)
        if self._rooms.peek(event.room_id) is not None:
            raise RoomInUse()
        self._rooms.found(room)
        await self._store(room, facts, partial(_make_known, room.identity))
        return event.room_id

    async def _prepare(self, room: LiveRoom, drafts: Sequence[Draft]) -> Prepared:
        keys = {(draft.type, draft.state_key) for draft in drafts if draft.state_key is not None}
        users = {draft.sender for draft in drafts} | {key[1] for key in keys if key[0] == MEMBER}
        users |= {user for draft in drafts if (user := _authoriser(draft)) is not None}
        if any(user not in room.members for user in users) and room.state:
            await self._rooms.add_members(room, [user for user in users if not self._is_local(user)])
        await self._notices.prepare(room, drafts)
        known = {key: nid for key in keys if (nid := self._numbers.keys.known(key)) is not None}
        if len(known) < len(keys):
            known = await self._numbers.keys.of_all(keys)
        replaced = {room.members[key[1]].event_id for key in keys if key[0] == MEMBER and key[1] in room.members}
        targets = {draft.redacts for draft in drafts if draft.redacts is not None}
        stored = await self._events.get(replaced | targets) if replaced or targets else {}
        if room.identity.version.has_chosen_event_ids:
            extremities = await self._events.get(e.event_id for e in room.head.extremities)
            room.references |= {event_id: stored.event.reference for event_id, stored in extremities.items()}
        first = await self._numbers.events.take(len(drafts))
        return Prepared(first, known, stored, stored)

    def _is_local(self, user_id: str) -> bool:
        return user_id.endswith(":" + self._identity.server_name)

    async def _build_and_store(
        self, room: LiveRoom, drafts: Sequence[Draft], prepared: Prepared, transaction: TransactionKey | None
    ) -> list[str]:
        unchanged = [_in_force(room, draft) for draft in drafts]
        if all(unchanged) and transaction is None:
            return [event_id for event_id in unchanged if event_id]
        facts = await self._build(room, drafts, prepared, 0, transaction)
        await self._store(room, facts)
        return [fact.event.event_id for fact in facts]

    async def _build(
        self,
        room: LiveRoom,
        drafts: Sequence[Draft],
        prepared: Prepared,
        offset: int,
        transaction: TransactionKey | None,
    ) -> list[EventFact]:
        """Build and accept drafts, one on the other. If one is refused the room is as it was before the first.

        It waits for nothing but a policy server, and then the caller holds the room's turn.
        """
        before = Restore(room) if len(drafts) > 1 else None
        try:
            facts = []
            for index, draft in enumerate(drafts, offset):
                event = self._event(room, draft, prepared.first_nid + index)
                if POLICY in room.state:
                    event = await self.policy_servers.recommended(room, event)
                    if room.is_dropped:
                        raise Dropped()
                facts.append(self._accept(room, event, draft, prepared, index, transaction))
            return facts
        except BaseException:
            if before is not None:
                before.restore(room)
            raise

    def _event(self, room: LiveRoom, draft: Draft, nid: int) -> Event:
        """Build, sign and check one event on the live room's head."""
        version = room.identity.version
        keys = auth_keys_for(draft.type, draft.sender, draft.state_key, draft.content, version)
        auth = {key: event for key in keys if (event := room.auth_event(key)) is not None}
        extremities = room.head.extremities[-_MAX_PREV_EVENTS:]
        pdu: dict[str, Any] = {
            "type": draft.type,
            "sender": draft.sender,
            "room_id": room.identity.room_id,
            "content": dict(draft.content),
            "origin_server_ts": draft.origin_server_ts or self._clock.now_ms(),
            "depth": min(room.head.depth + 1, MAX_DEPTH),
            "prev_events": [room.references.get(e.event_id, e.event_id) for e in extremities],
            "auth_events": [event.reference for event in auth.values()],
        }
        if draft.state_key is not None:
            pdu["state_key"] = draft.state_key
        if draft.redacts is not None:
            (pdu["content"] if version.redacts_in_content else pdu)["redacts"] = draft.redacts
        event = self._sign(pdu, version, nid)
        check_auth(event, {**auth, CREATE: room.create_event}, power_levels=room.power_levels)
        return event

    def _sign(self, pdu: dict[str, Any], version: RoomVersion, nid: int) -> Event:
        if version.has_chosen_event_ids:
            pdu["event_id"] = f"${self._clock.now_ms():x}.{nid}:{self._identity.server_name}"
        return build_event(
            pdu,
            room_version=version,
            signing_key=self._identity.signing_key,
            server_name=self._identity.server_name,
        )

    def _accept(
        self,
        room: LiveRoom,
        event: Event,
        draft: Draft,
        prepared: Prepared,
        index: int,
        transaction: TransactionKey | None,
    ) -> EventFact:
        """Extend the live room by an event; the fact that is to be stored."""
        before = StateRef(TRUNK, room.head.trunk_version)
        nid = prepared.first_nid + index
        replaced = _replaced(room, event, prepared)
        change = Change(event, nid, prepared.keys.get(event.key) if event.is_state else None)
        trunk = extend(room, change, is_local=self._is_local)
        outcome = self._notices.count(room, event, trunk)
        target = prepared.targets.get(draft.redacts) if draft.redacts else None
        sender = room.members.get(event.sender)
        return EventFact(
            room_id=room.identity.room_id,
            room_nid=room.identity.room_nid,
            event=event,
            event_nid=nid,
            key_nid=change.key_nid,
            kind=Kind.LIVE,
            received_ms=room.received_now(self._clock.now_ms()),
            extras={**_replaces(replaced), **draft.extras} or None,
            before=before,
            head=room.head,
            trunk=trunk,
            transaction=transaction,
            redacts=draft.redacts if target and takes_effect(event, target.event, room.power_levels) else None,
            thread=outcome.thread,
            notified=outcome.notified,
            highlighted=outcome.highlighted,
            outcome=(outcome.counts, outcome.highlights),
            deviations=outcome.deviations,
            sender_member=sender.event_id if sender else None,
            members=tuple(c.state_key for c in trunk if c.type == MEMBER),
        )

    async def _store(self, room: LiveRoom, facts: Sequence[EventFact], extra: Extra | None = None) -> None:
        append = Append(
            ROOM.name,
            room.identity.shard,
            room.identity.room_id,
            [(EVENTS, fact) for fact in facts],
            extra=extra,
            is_current=lambda: not room.is_dropped,
        )
        await self._rooms.store(room, self._log, append)
        for fact in facts:
            if fact.transaction is not None:
                room.transactions.note(fact.transaction, fact.event.event_id, fact.received_ms)
        if room.is_deserted:
            self._rooms.desert(room)
        self._events.take(facts)


def _may_ask(room: LiveRoom, drafts: Sequence[Draft]) -> bool:
    """Whether building these may have to wait for a policy server."""
    return POLICY in room.state or (len(drafts) > 1 and any((d.type, d.state_key) == POLICY for d in drafts))


def _make_known(room: RoomIdentity, transaction: Transaction) -> None:
    """Give a new room its row, together with its first events."""
    if not add_room(transaction, room.room_nid, room.room_id, room.version.identifier, room.shard):
        raise RoomInUse()


def _create_pdu(create: Draft, room_id: str | None, now_ms: int) -> dict[str, Any]:
    pdu: dict[str, Any] = {
        "type": create.type,
        "state_key": "",
        "sender": create.sender,
        "content": dict(create.content),
        "origin_server_ts": create.origin_server_ts or now_ms,
        "depth": 1,
        "prev_events": [],
        "auth_events": [],
    }
    if room_id is not None:
        pdu["room_id"] = room_id
    return pdu


def _new_room(identity: RoomIdentity) -> LiveRoom:
    head = Head(
        depth=0, trunk_version=0, extremities=(), notified=0, highlighted=0, joined_members=0, invited_members=0
    )
    return LiveRoom(
        identity=identity,
        head=head,
        state={},
        members={},
        transactions=RecentTransactions(),
        received_ms=0,
    )


def _authoriser(draft: Draft) -> str | None:
    """The user who authorises a restricted join."""
    user_id = draft.content.get("join_authorised_via_users_server")
    return user_id if draft.type == MEMBER and isinstance(user_id, str) else None


def _in_force(room: LiveRoom, draft: Draft) -> str | None:
    """The id of the state event in force, if the draft would change nothing."""
    if draft.state_key is None or draft.type == MEMBER:
        return None
    current = room.state.get((draft.type, draft.state_key))
    if current is None or current.event.sender != draft.sender or current.event.content != dict(draft.content):
        return None
    return current.event.event_id


def _replaced(room: LiveRoom, event: Event, prepared: Prepared) -> Event | None:
    """The state event that this one takes the place of."""
    if not event.is_state:
        return None
    if event.type != MEMBER:
        current = room.state.get(event.key)
        return current.event if current else None
    member = room.members.get(event.key[1])
    stored = prepared.replaced.get(member.event_id) if member else None
    return stored.event if stored else (member.event(room.identity) if member else None)


def _replaces(replaced: Event | None) -> dict[str, Any]:
    if replaced is None:
        return {}
    return {"replaces_state": replaced.event_id, "prev_content": replaced.content}


def _heard(_: object) -> None:
    """The error of a request goes to that request; those that joined it get their own copy."""


async def _joined(result: "Deferred[str]") -> str:
    """Wait for the result of another request without taking it away from it."""
    mine: Deferred[str] = Deferred()

    def succeeded(event_id: str) -> str:
        mine.callback(event_id)
        return event_id

    def failed(failure: Any) -> Any:
        mine.errback(failure)
        return failure

    _ = result.addCallbacks(succeeded, failed)
    return await mine
