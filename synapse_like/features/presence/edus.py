"""Presence over federation: m.presence. Source: server-server API, "Presence"."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from synapse_like.features.presence.heard import Heard
from synapse_like.features.presence.person import OFFLINE, ONLINE, UNAVAILABLE, content
from synapse_like.features.presence.remote import RemotePresence
from synapse_like.features.presence.stream import PRESENCE, PresenceFact
from synapse_like.federation.edu_fields import flag, text, user_of, whole_number
from synapse_like.federation.edus import EduReceiver, EduSource, Piece
from synapse_like.matrix.errors import BadJson, Forbidden
from synapse_like.rooms.facts import EVENTS, EventFact
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.clock import Clock

M_PRESENCE: Final = "m.presence"
PUSHED_AT_ONCE: Final = 50
MAX_PUSHED: Final = 200
"""How many users are taken out of one EDU."""
MAX_SHOWN: Final = 200
"""Of so many users of ours a server hears when it comes into a room."""
MAX_STATUS_CHARACTERS: Final = 1_000


def source(clock: Clock, server_name: str) -> EduSource:
    """Tells other servers how users here are seen."""

    async def pieces(facts: Sequence[PresenceFact]) -> list[Piece]:
        return [
            Piece(fact.user_id, _pushed(fact, clock.now_ms()), rooms=fact.rooms)
            for fact in facts
            if server_of(fact.user_id) == server_name
        ]

    def rooms(fact: PresenceFact) -> Sequence[str]:
        return fact.rooms

    return EduSource(M_PRESENCE, PRESENCE, pieces, rooms=rooms, combine=combined, is_patient=True)


def newcomers(heard: Heard, clock: Clock, server_name: str) -> EduSource:
    """Tells a server that comes into a room who of ours is there, as it may be long until their presence changes."""

    def coming(fact: EventFact) -> list[str]:
        joined = [
            change.state_key
            for change in fact.trunk
            if change.member is not None and change.member.membership == "join" != change.member.before
        ]
        return [server for user_id in joined if (server := server_of(user_id)) != server_name]

    async def pieces(facts: Sequence[EventFact]) -> list[Piece]:
        now_ms = clock.now_ms()
        found = []
        for fact in facts:
            servers = coming(fact)
            present = (
                known.fact for user_id in heard.members(fact.room_id) if (known := heard.of(user_id)) is not None
            )
            ours = (each for each in present if server_of(each.user_id) == server_name and each.presence != OFFLINE)
            found += [Piece(each.user_id, _pushed(each, now_ms), servers=servers) for each in islice(ours, MAX_SHOWN)]
        return found

    return EduSource(
        M_PRESENCE, EVENTS, pieces, concerns=lambda fact: bool(coming(fact)), combine=combined, is_patient=True
    )


def combined(contents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Many users in one EDU."""
    starts = range(0, len(contents), PUSHED_AT_ONCE)
    return [{"push": list(contents[start : start + PUSHED_AT_ONCE])} for start in starts]


def receiver(remote: RemotePresence, clock: Clock) -> EduReceiver:
    """Takes in how users of other servers are seen there."""

    async def receive(origin: str, content: dict[str, Any]) -> None:
        pushed = content.get("push")
        if not isinstance(pushed, list):
            raise BadJson("push must be a list")
        await remote.hear(list(_heard(origin, pushed[:MAX_PUSHED], clock.now_ms())))

    return EduReceiver(M_PRESENCE, receive)


def _pushed(fact: PresenceFact, now_ms: int) -> dict[str, Any]:
    ago_ms = None if fact.last_active_ms is None else now_ms - fact.last_active_ms
    return {"user_id": fact.user_id, **content(fact.presence, fact.status_msg, fact.is_active, ago_ms)}


def _heard(origin: str, pushed: Sequence[Any], now_ms: int) -> Iterator[PresenceFact]:
    """What is of the right shape, and of users of the origin; the rooms are not filled in."""
    for each in pushed:
        if not isinstance(each, dict) or each.get("presence") not in (ONLINE, UNAVAILABLE, OFFLINE):
            continue
        try:
            has_status = each.get("status_msg") is not None
            ago_ms = whole_number(each, "last_active_ago") if each.get("last_active_ago") is not None else None
            yield PresenceFact(
                user_id=user_of(origin, each.get("user_id")),
                rooms=(),
                presence=each["presence"],
                status_msg=text(each, "status_msg", limit=MAX_STATUS_CHARACTERS) if has_status else None,
                is_active=flag(each, "currently_active", False),
                last_active_ms=None if ago_ms is None else now_ms - max(0, ago_ms),
            )
        except (BadJson, Forbidden):
            continue
