"""Receipts over federation: m.receipt, public ones only. Source: server-server API, "Receipts"."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from synapse_like.features.receipts.logic import READ, UNTHREADED, Heard, Receipts
from synapse_like.features.receipts.stream import RECEIPTS, ReceiptFact
from synapse_like.federation.edu_fields import MAX_ID_CHARACTERS, text, user_of, whole_number
from synapse_like.federation.edus import EduReceiver, EduSource, Piece
from synapse_like.matrix.errors import BadJson, Forbidden
from synapse_like.rooms.hosts import server_of

M_RECEIPT: Final = "m.receipt"
MAX_RECEIPTS: Final = 1_000
"""The most receipts that are taken out of one EDU."""


def source(server_name: str) -> EduSource:
    """Tells other servers what users here have read."""

    async def pieces(facts: Sequence[ReceiptFact]) -> list[Piece]:
        return [
            Piece((fact.room_id, fact.user_id, fact.thread), _content(fact), rooms=(fact.room_id,))
            for fact in facts
            if fact.type == READ and server_of(fact.user_id) == server_name
        ]

    def rooms(fact: ReceiptFact) -> Sequence[str]:
        return (fact.room_id,)

    return EduSource(M_RECEIPT, RECEIPTS, pieces, rooms=rooms, combine=combined, is_patient=True)


def combined(contents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As few EDUs as possible: one has only one receipt of each user in each room."""
    found: list[dict[str, Any]] = []
    for content in contents:
        ((room_id, kinds),) = content.items()
        ((user_id, receipt),) = kinds[READ].items()
        for edu in found:
            users = edu.setdefault(room_id, {READ: {}})[READ]
            if user_id not in users:
                users[user_id] = receipt
                break
        else:
            found.append({room_id: {READ: {user_id: receipt}}})
    return found


def receiver(receipts: Receipts) -> EduReceiver:
    """Takes in what users of other servers have read, room by room."""

    async def receive(origin: str, content: dict[str, Any]) -> None:
        left = MAX_RECEIPTS
        for room_id, kinds in content.items():
            users = kinds.get(READ) if isinstance(kinds, dict) else None
            if not isinstance(users, dict) or len(room_id) > MAX_ID_CHARACTERS or "\0" in room_id:
                continue
            heard = list(_heard(origin, users))[:left]
            left -= len(heard)
            if heard:
                await receipts.hear(room_id, origin, heard)

    return EduReceiver(M_RECEIPT, receive)


def _content(fact: ReceiptFact) -> dict[str, Any]:
    data: dict[str, Any] = {"ts": fact.at_ms}
    if fact.thread != UNTHREADED:
        data["thread_id"] = fact.thread
    return {fact.room_id: {READ: {fact.user_id: {"event_ids": [fact.event_id], "data": data}}}}


def _heard(origin: str, users: Mapping[str, Any]) -> Iterator[Heard]:
    """The receipts of a room that are of the right shape, and of users of the origin."""
    for user_id, receipt in users.items():
        try:
            user = user_of(origin, user_id)
            event_ids, data = receipt["event_ids"], receipt.get("data", {})
            thread = text(data, "thread_id") if "thread_id" in data else UNTHREADED
            at_ms = max(0, whole_number(data, "ts"))
            event_id = text({"event_id": event_ids[-1]}, "event_id")
        except (BadJson, Forbidden, TypeError, KeyError, IndexError, AttributeError):
            continue
        yield Heard(user, event_id, thread, at_ms)
