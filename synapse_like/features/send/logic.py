"""Sending: messages, state and redactions of local users.

On the common path (a message of a member of a live room) nothing here reads the database. Building the event, the
authorization rules and storing are in `rooms.creation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synapse_like.features.directory import Directory
from synapse_like.features.membership import Membership
from synapse_like.features.send import sql
from synapse_like.features.send.annotations import MAX_KEY_BYTES, Annotation, annotation_in
from synapse_like.features.send.checks import CANONICAL_ALIAS, SERVER_ACL, aliases_in, check_server_acl, check_type
from synapse_like.features.send.redactions import check_redaction
from synapse_like.matrix.errors import BadAlias, BadJson, DuplicateAnnotation, Forbidden, InvalidParam, NotFound
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.rooms.transactions import TransactionKey
from synapse_like.toolkit.config.rate_limits import RateLimit, RateLimits
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.http import Requester
from synapse_like.toolkit.locks import KeyedLocks
from synapse_like.toolkit.ratelimit import RateLimiter

REDACTION = "m.room.redaction"
GUEST_ACCESS = "m.room.guest_access"


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """How often users may send."""

    limiter: RateLimiter
    limits: RateLimits

    def check(self, user_id: str, *, is_moderation: bool = False) -> None:
        """Count an event. `is_moderation`: the redaction of somebody else's. Raises LimitExceeded."""
        name, limit = "rc_message", self.limits.rc_message
        special: RateLimit | None = self.limits.rc_admin_redaction
        if is_moderation and special is not None:
            name, limit = "rc_admin_redaction", special
        self.limiter.check(name, user_id, limit)


class Sending:
    """The front door: sends events for local users. Unknown rooms are Forbidden, as rooms that one is not in."""

    def __init__(
        self, rooms: Rooms, database: Database, membership: Membership, directory: Directory, limits: SendingLimits
    ) -> None:
        self._rooms = rooms
        self._database = database
        self._membership = membership
        self._directory = directory
        self._limits = limits
        self._turns = KeyedLocks()

    async def send(
        self, requester: Requester, room_id: str, event_type: str, content: Mapping[str, Any], transaction_id: str
    ) -> str:
        """Send an event that is not state; its id. A repeat of the device's transaction gives the first one's event.

        Raises Forbidden, LimitExceeded, DuplicateAnnotation, BadJson, TooLarge, NotFound (of what is redacted).
        """
        if event_type == REDACTION:
            return await self._redact(requester, room_id, _target_of(content), content, transaction_id)
        check_type(event_type)
        room = await self._joined(requester, room_id)
        transaction = _transaction(requester, transaction_id)
        annotation = annotation_in(content)
        if annotation is not None:
            return await self._annotate(room, event_type, content, annotation, transaction)
        done = room.transactions.get(transaction)
        if done is not None:
            return done
        self._limits.check(requester.user_id)
        draft = Draft(type=event_type, sender=requester.user_id, content=content)
        return await self._rooms.creation.send(room_id, draft, transaction=transaction)

    async def redact(
        self, requester: Requester, room_id: str, event_id: str, content: Mapping[str, Any], transaction_id: str
    ) -> str:
        """Redact an event; the redaction's id. Raises as `send` does."""
        return await self._redact(requester, room_id, event_id, content, transaction_id)

    async def set_state(
        self, requester: Requester, room_id: str, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> str:
        """Set a part of the room's state; the event's id, that of the event in force if nothing changes.

        Raises Forbidden, LimitExceeded, BadAlias, InvalidParam, BadJson, TooLarge.
        """
        check_type(event_type)
        if event_type == MEMBER:
            return await self._membership.set_member(requester, room_id, state_key, content)
        room = await self._joined(requester, room_id)
        self._limits.check(requester.user_id)
        if event_type == CANONICAL_ALIAS and state_key == "":
            await self._check_aliases(room, content)
        if event_type == SERVER_ACL and state_key == "":
            check_server_acl(content, self._rooms.identity.server_name)
        draft = Draft(type=event_type, sender=requester.user_id, state_key=state_key, content=content)
        event_id = await self._rooms.creation.send(room_id, draft)
        if event_type == GUEST_ACCESS and state_key == "":
            await self._membership.remove_guests(room_id)
        return event_id

    async def _joined(self, requester: Requester, room_id: str) -> LiveRoom:
        try:
            room = await self._rooms.live.get(room_id)
        except NotFound:
            raise Forbidden("You are not in this room") from None
        if room.membership_of(requester.user_id) != "join":
            raise Forbidden("You are not in this room")
        return room

    async def _redact(
        self, requester: Requester, room_id: str, target_id: str, content: Mapping[str, Any], transaction_id: str
    ) -> str:
        room = await self._joined(requester, room_id)
        transaction = _transaction(requester, transaction_id)
        done = room.transactions.get(transaction)
        if done is not None:
            return done
        target = await self._rooms.events.get_one(target_id)
        check_redaction(room, requester.user_id, target)
        is_moderation = target is not None and target.event.sender != requester.user_id
        self._limits.check(requester.user_id, is_moderation=is_moderation)
        draft = Draft(type=REDACTION, sender=requester.user_id, content=content, redacts=target_id)
        return await self._rooms.creation.send(room_id, draft, transaction=transaction)

    async def _annotate(
        self,
        room: LiveRoom,
        event_type: str,
        content: Mapping[str, Any],
        annotation: Annotation,
        transaction: TransactionKey,
    ) -> str:
        """Send a reaction, unless the user has reacted so already; one at a time per user and room."""
        room_id, user_id = room.identity.room_id, transaction[0]
        if not annotation.fits:
            raise InvalidParam(f"The key of an annotation has at most {MAX_KEY_BYTES} bytes")
        async with self._turns.hold(f"{room_id} {user_id}"):
            done = await self._rooms.live.event_of_transaction(room, transaction)
            if done is not None:
                return done
            self._limits.check(user_id)
            room_nid, (target_id, key) = room.identity.room_nid, annotation
            if await self._database.read(
                lambda txn: sql.has_annotated(txn, room_nid, target_id, user_id, event_type, key)
            ):
                raise DuplicateAnnotation()
            draft = Draft(type=event_type, sender=user_id, content=content)
            return await self._rooms.creation.send(room_id, draft, transaction=transaction)

    async def _check_aliases(self, room: LiveRoom, content: Mapping[str, Any]) -> None:
        """Aliases that the event in force does not have must point to this room."""
        current = room.state_event(CANONICAL_ALIAS)
        known = _strings(current.content) if current is not None else set()
        new = [alias for alias in dict.fromkeys(aliases_in(content)) if alias not in known]
        missing = _without(new, await self._directory.pointing_to(room.identity.room_id, new))
        if missing:
            raise BadAlias(f"{missing[0]} does not point to this room")


def _transaction(requester: Requester, transaction_id: str) -> TransactionKey:
    return requester.user_id, requester.device_id or "", transaction_id


def _target_of(content: Mapping[str, Any]) -> str:
    target = content.get("redacts")
    if not isinstance(target, str):
        raise BadJson("redacts must be an event ID")
    return target


def _strings(content: Mapping[str, Any]) -> set[str]:
    others = content.get("alt_aliases")
    return {
        alias
        for alias in [content.get("alias"), *(others if isinstance(others, list) else [])]
        if isinstance(alias, str)
    }


def _without(aliases: Sequence[str], others: set[str]) -> list[str]:
    return [alias for alias in aliases if alias not in others]
