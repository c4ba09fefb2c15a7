"""A room that the tests tell event by event, forks and merges included, with ids that can be read."""

from __future__ import annotations

from typing import Any

from synapse_like.matrix.auth_rules import auth_keys_for, check_auth
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import ROOM_VERSIONS
from synapse_like.matrix.state_resolution import InMemoryEvents, StateMap, resolve

ALICE, BOB, CAROL, DAVE = "@alice:a", "@bob:b", "@carol:c", "@dave:d"


class Story:
    """Events of one room; every one is authorized by the resolved state of its predecessors.

    Ids are `$name`; time passes by one for each event unless the teller says otherwise. ALICE has made the room.
    """

    def __init__(self, number: int) -> None:
        self.version = ROOM_VERSIONS[str(number)]
        self.events: dict[str, Event] = {}
        self.source = InMemoryEvents([])
        self.states: dict[str, StateMap] = {}
        self._merged: dict[tuple[str, ...], StateMap] = {}
        self._last: str | None = None
        creator = {} if number >= 11 else {"creator": ALICE}
        self.state("create", "m.room.create", ALICE, {"room_version": str(number), **creator})
        self.join("alice", ALICE)

    def levels(self, **more: Any) -> dict[str, Any]:
        """Content of power levels in which ALICE has 100, in every version."""
        users = dict(more.pop("users", {}))
        if not self.version.privileged_creators:
            users = {ALICE: 100} | users
        return {"users": users, **more}

    def state(
        self, name: str, event_type: str, sender: str, content: dict[str, Any], state_key: str = "", **where: Any
    ) -> str:
        """Send state and return its id; `where` as in `add`."""
        return self.add(self.make(name, event_type, sender, content, state_key, **where)).event_id

    def topic(self, name: str, sender: str, **where: Any) -> str:
        return self.state(name, "m.room.topic", sender, {"topic": name}, **where)

    def power(self, name: str, sender: str, *, after: Any = None, ts: int | None = None, **levels: Any) -> str:
        return self.state(name, "m.room.power_levels", sender, self.levels(**levels), after=after, ts=ts)

    def join(self, name: str, user_id: str, **where: Any) -> str:
        return self.member(name, user_id, user_id, "join", **where)

    def member(self, name: str, sender: str, target: str, membership: str, **where: Any) -> str:
        return self.state(name, "m.room.member", sender, {"membership": membership}, target, **where)

    def make(
        self,
        name: str,
        event_type: str,
        sender: str,
        content: dict[str, Any],
        state_key: str | None = "",
        *,
        after: str | tuple[str, ...] | None = None,
        ts: int | None = None,
    ) -> Event:
        """An event after these predecessors (the last one told, by default), not yet part of the room."""
        prev = self._predecessors(after)
        before = self.state_before(prev)
        keys = auth_keys_for(event_type, sender, state_key, content, self.version)
        auth = sorted(before[key] for key in keys if key in before)
        depth = 1 + max((self.events[event_id].depth for event_id in prev), default=0)
        pdu: dict[str, Any] = {
            "type": event_type,
            "sender": sender,
            "content": content,
            "origin_server_ts": len(self.events) * 10 if ts is None else ts,
            "depth": depth,
            "prev_events": self._references(prev),
            "auth_events": self._references(auth),
        }
        if state_key is not None:
            pdu["state_key"] = state_key
        if not self.version.domainless_room_id:
            pdu["room_id"] = "!room:a"
        elif event_type != "m.room.create":
            pdu["room_id"] = "!create"
        return Event.restored(f"${name}", pdu, self.version)

    def add(self, event: Event) -> Event:
        """Make the event part of the room; raises `AuthError` if the state before it does not allow it."""
        before = self.state_before(event.prev_event_ids)
        check_auth(event, {key: self.events[event_id] for key, event_id in before.items()})
        self.events[event.event_id] = event
        self.source.add(event)
        self.states[event.event_id] = {**before, event.key: event.event_id} if event.is_state else before
        self._last = event.event_id
        return event

    def state_before(self, prev: tuple[str, ...]) -> StateMap:
        if prev not in self._merged:
            self._merged[prev] = self.resolve(*(self.states[event_id] for event_id in prev))
        return self._merged[prev]

    def merge(self, *heads: str) -> StateMap:
        """The resolution of the states after these events."""
        return self.resolve(*(self.states[event_id] for event_id in heads))

    def resolve(self, *states: StateMap) -> StateMap:
        return resolve(self.version, states, self.source)

    def newest(self, place: int) -> str:
        """The id of an event counted from the end, but none older than `$carol`, the last one of `public_room`."""
        event_ids = list(self.events)
        return event_ids[max(event_ids.index("$carol"), len(event_ids) - 1 - place)]

    def _predecessors(self, after: str | tuple[str, ...] | None) -> tuple[str, ...]:
        if after is not None:
            return (after,) if isinstance(after, str) else after
        return () if self._last is None else (self._last,)

    def _references(self, event_ids: Any) -> list[Any]:
        if self.version.has_chosen_event_ids:
            return [[event_id, {}] for event_id in event_ids]
        return list(event_ids)


LEVELS, RULES, TOPIC = ("m.room.power_levels", ""), ("m.room.join_rules", ""), ("m.room.topic", "")


def member_key(user_id: str) -> tuple[str, str]:
    return "m.room.member", user_id


def public_room(number: int, **levels: Any) -> Story:
    """A public room with ALICE (100), BOB and CAROL in it; `levels` go into its power levels, event `$power`."""
    story = Story(number)
    story.power("power", ALICE, **levels)
    story.state("rules", "m.room.join_rules", ALICE, {"join_rule": "public"})
    story.join("bob", BOB)
    story.join("carol", CAROL)
    return story
