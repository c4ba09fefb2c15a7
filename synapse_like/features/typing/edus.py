"""Typing over federation: m.typing, one EDU for each user who starts or stops. Source: server-server API, "Typing"."""

from collections.abc import Sequence
from typing import Any, Final

from synapse_like.features.typing.logic import REPEAT_MS, Typing
from synapse_like.features.typing.stream import TYPING, TypingFact
from synapse_like.federation.edu_fields import flag, text, user_of
from synapse_like.federation.edus import EduReceiver, EduSource, Piece
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.clock import Clock

M_TYPING: Final = "m.typing"


class TypingNews:
    """What other servers have been told: by room, the local users who are typing, and when that was said last."""

    def __init__(self, clock: Clock, server_name: str) -> None:
        self._clock = clock
        self._server_name = server_name
        self._told: dict[str, dict[str, int]] = {}

    async def pieces(self, facts: Sequence[TypingFact]) -> list[Piece]:
        """Who has started, who has stopped, who goes on for long."""
        found = []
        for fact in facts:
            now_ms = self._clock.monotonic_ms()
            told = self._told.pop(fact.room_id, {})
            users = [user_id for user_id in fact.user_ids if server_of(user_id) == self._server_name]
            stopped = [user_id for user_id in told if user_id not in users]
            started = [user_id for user_id in users if now_ms - told.get(user_id, -REPEAT_MS) >= REPEAT_MS]
            if users:
                self._told[fact.room_id] = {user_id: told.get(user_id, now_ms) for user_id in users}
                self._told[fact.room_id].update(dict.fromkeys(started, now_ms))
            found += [_piece(fact.room_id, user_id, is_typing=False) for user_id in stopped]
            found += [_piece(fact.room_id, user_id, is_typing=True) for user_id in started]
        return found

    def source(self) -> EduSource:
        """The plug."""
        return EduSource(M_TYPING, TYPING, self.pieces)


def receiver(typing: Typing) -> EduReceiver:
    """Takes in who is typing elsewhere."""

    async def receive(origin: str, content: dict[str, Any]) -> None:
        user_id = user_of(origin, content.get("user_id"))
        await typing.hear(text(content, "room_id"), user_id, flag(content, "typing"))

    return EduReceiver(M_TYPING, receive)


def _piece(room_id: str, user_id: str, *, is_typing: bool) -> Piece:
    content = {"room_id": room_id, "user_id": user_id, "typing": is_typing}
    return Piece((room_id, user_id), content, rooms=(room_id,))
