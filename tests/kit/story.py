"""A room made by hand, event by event, and a server of the tests' own that lets others into it."""

from typing import Any

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.matrix.signatures import build_event
from tests.kit.pair import Net, Pair
from tests.kit.stranger import Stranger


class Story:
    """A room made by hand."""

    def __init__(self, net: Net, version: str, owner: str = "@owner:s0") -> None:
        self.net = net
        self.version = room_version(version)
        self.owner = owner
        self.room_id = "!large:" + owner.partition(":")[2]
        self.events: list[Event] = []
        self.clock = 1_700_000_000_000
        content: dict[str, Any] = {"room_version": version}
        if not self.version.implicit_creator:
            content["creator"] = owner
        self.create = self.add("m.room.create", owner, content, "", [])
        self.room_id = self.create.room_id
        implied = [] if self.version.domainless_room_id else [self.create]
        self.first = self.add("m.room.member", owner, {"membership": "join"}, owner, implied)
        users = {} if self.version.privileged_creators else {owner: 100}
        levels = {"users": users, "state_default": 0}
        self.levels = self.add("m.room.power_levels", owner, levels, "", [*implied, self.first])
        self.rules = self.add(
            "m.room.join_rules", owner, {"join_rule": "public"}, "", [*implied, self.first, self.levels]
        )
        self.implied = implied

    def add(
        self, kind: str, sender: str, content: dict[str, Any], state_key: str | None, auth: list[Event], **more: Any
    ) -> Event:
        """One more event, on the last one."""
        self.clock += 1
        server = sender.partition(":")[2]
        pdu: dict[str, Any] = {
            "type": kind,
            "sender": sender,
            "content": content,
            "origin_server_ts": self.clock,
            "depth": len(self.events) + 1,
            "prev_events": [self.events[-1].reference] if self.events else [],
            "auth_events": [event.reference for event in auth],
        }
        if kind != "m.room.create" or not self.version.domainless_room_id:
            pdu["room_id"] = self.room_id
        if state_key is not None:
            pdu["state_key"] = state_key
        if self.version.has_chosen_event_ids:
            pdu["event_id"] = f"$event{len(self.events)}:{server}"
        key = self.net.key_of(server)
        event = build_event(pdu | more, room_version=self.version, signing_key=key, server_name=server)
        self.events.append(event)
        return event

    def join(self, user_id: str) -> Event:
        """Somebody joins."""
        auth = [*self.implied, self.levels, self.rules]
        return self.add("m.room.member", user_id, {"membership": "join", "displayname": user_id}, user_id, auth)

    def state(self, key: str, value: int) -> Event:
        """The owner sets something."""
        auth = [*self.implied, self.first, self.levels]
        return self.add("org.example.setting", self.owner, {"value": value}, key, auth)


class Host(Stranger):
    """A server that lets others into a room made by hand."""

    def __init__(self, pair: Pair, story: Story, name: str = "three") -> None:
        self.name = name
        super().__init__(pair)
        self.story = story

    def _answer(self, method: str, target: str, body: Any) -> Any:
        if "/make_join/" in target:
            user_id = target.partition("?")[0].rpartition("/")[2]
            auth = [*self.story.implied, self.story.levels, self.story.rules]
            last = self.story.events[-1]
            event = {
                "depth": last.depth + 1,
                "prev_events": [last.reference],
                "auth_events": [e.reference for e in auth],
            }
            return {"room_version": self.story.version.identifier, "event": {**event, "sender": user_id}}
        if "/send_join/" in target:
            self.asked.append(f"{method} {target}")
            return self.reply()
        return super()._answer(method, target, body)

    def reply(self) -> Any:
        """What it answers to a join: JSON, or bytes as they are."""
        pdus = [event.pdu for event in self.story.events]
        return {"state": pdus, "auth_chain": pdus[:4]}
