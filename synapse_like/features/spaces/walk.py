"""Walking down a space for a user: parents before children, each room once, as far as the user may know of it.

A page begins by walking to where the last one ended: what is asked of the database is a query for each space on the
way, and what other servers have said is remembered. Source: client-server API, "Querying the hierarchy of rooms".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from synapse_like.features.spaces.logic import SPACE, Looked, Spaces, entry_with_children
from synapse_like.features.spaces.remote import RemoteSpaces
from synapse_like.matrix.errors import Forbidden
from synapse_like.matrix.ids import is_valid_room_id

MOST_WALKED: Final = 2_000
MOST_REMOTE: Final = 100
"""How many rooms other servers are asked for in one walk."""
_OPEN: Final = ("public", "knock", "knock_restricted")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user wants to see of a space: `limit` rooms after the first `start`, down to `max_depth` (None: all)."""

    start: int
    limit: int
    is_suggested_only: bool = False
    max_depth: int | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """A room that is to be visited: servers to ask for it, its depth, and what its parent's server says of it."""

    room_id: str
    via: Sequence[Any]
    depth: int
    known: Json | None = None


class SpaceWalk:
    """Walks spaces."""

    def __init__(self, spaces: Spaces, remote: RemoteSpaces) -> None:
        self._spaces = spaces
        self._remote = remote

    async def page(self, user_id: str, room_id: str, asked: Asked) -> tuple[list[Json], bool]:
        """Some rooms of a space, and whether there are more. Raises Forbidden if the user may not know the space."""
        end = asked.start + asked.limit
        found: list[Json] = []
        visited: set[str] = set()
        known, asked_elsewhere = {room_id}, 0
        looked = await self._spaces.look_for_user(user_id, [room_id])
        stack = [_Step(room_id, (), 0)]
        while stack and len(found) <= end and len(known) <= MOST_WALKED:
            step = stack.pop()
            if step.room_id in visited:
                continue
            visited.add(step.room_id)
            entry, said = self._here(looked, step, asked), None
            if entry is None and step.room_id not in looked.summaries and asked_elsewhere < MOST_REMOTE:
                asked_elsewhere += step.known is None or step.known.get("room_type") == SPACE
                entry, said = await self._elsewhere(user_id, step, asked)
            if entry is None:
                if step.depth == 0:
                    raise Forbidden("You may not know of this space, or it does not exist")
                continue
            found.append(entry)
            if asked.max_depth is not None and step.depth >= asked.max_depth:
                continue
            steps = [_step(event, step.depth + 1, said) for event in entry["children_state"] if _is_new(event, visited)]
            stack += reversed(steps[: max(0, MOST_WALKED - len(stack))])
            ids = [each.room_id for each in steps if each.room_id not in known]
            known.update(ids)
            looked = _merged(looked, await self._spaces.look_for_user(user_id, ids)) if ids else looked
        return found[asked.start : end], len(found) > end

    def _here(self, looked: Looked, step: _Step, asked: Asked) -> Json | None:
        """A room that this server is in, if the user may know of it."""
        if step.room_id not in looked.summaries or not looked.is_open(step.room_id):
            return None
        return entry_with_children(looked, step.room_id, is_suggested_only=asked.is_suggested_only)

    async def _elsewhere(
        self, user_id: str, step: _Step, asked: Asked
    ) -> tuple[Json | None, Mapping[str, Json] | None]:
        """A room that other servers tell of, and what they say of its children."""
        if step.known is not None and step.known.get("room_type") != SPACE:
            entry: Json = {**step.known, "children_state": []}
            return (entry if await self._is_open(user_id, entry) else None), None
        space = await self._remote.get(step.room_id, step.via, is_suggested_only=asked.is_suggested_only)
        if space is None or not await self._is_open(user_id, space.room):
            return None, None
        return space.room, space.children

    async def _is_open(self, user_id: str, entry: Json) -> bool:
        if entry.get("join_rule", "public") in _OPEN or entry.get("world_readable") is True:
            return True
        rooms = [each for each in (entry["room_id"], *entry.get("allowed_room_ids", [])) if is_valid_room_id(each)]
        return await self._spaces.has_joined_one_of(user_id, [each for each in rooms if "\0" not in each])


def _is_new(event: Json, visited: set[str]) -> bool:
    room_id = event["state_key"]
    return room_id not in visited and is_valid_room_id(room_id) and "\0" not in room_id


def _step(event: Json, depth: int, said: Mapping[str, Json] | None) -> _Step:
    room_id = event["state_key"]
    return _Step(room_id, event["content"]["via"], depth, (said or {}).get(room_id))


def _merged(one: Looked, other: Looked) -> Looked:
    return Looked({**one.summaries, **other.summaries}, {**one.states, **other.states}, one.entered | other.entered)
