"""A room in which much happens at random, and a naive reading of what is unread in it; not a test itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from synapse_like.features.account_data import GLOBAL, IGNORED_USERS, UserData
from synapse_like.features.push_rules import PushRules
from synapse_like.features.receipts import Receipts
from synapse_like.matrix.push_rules import EventView, PushMember, RoomContext, RuleKind, Ruleset, evaluate
from synapse_like.rooms.front import Draft
from tests.kit.caught_up import caught_up
from tests.kit.homeserver import TestServer

Counts = tuple[int, int]
Edit = Callable[[Ruleset], Ruleset]

NAMES = ("ann", "ben", "cat", "dan")
WORDS = ("cake", "tea", "hello", "Dan", "nothing", "Benny")
LOUD = ["notify", {"set_tweak": "highlight"}]


def _edits(room_id: str) -> list[Edit]:
    override, underride = RuleKind.OVERRIDE, RuleKind.UNDERRIDE

    def condition(key: str, pattern: str) -> dict[str, str]:
        return {"kind": "event_match", "key": key, "pattern": pattern}

    return [
        lambda _: Ruleset.default(),
        lambda _: Ruleset.default(),
        lambda rules: rules.add(RuleKind.ROOM, room_id, {"actions": []}),
        lambda rules: rules.add(RuleKind.ROOM, room_id, {"actions": ["notify"]}),
        lambda rules: rules.add(override, "mute", {"actions": [], "conditions": [condition("room_id", room_id)]}),
        lambda rules: rules.add(RuleKind.CONTENT, "cake", {"actions": LOUD, "pattern": "cake"}),
        lambda rules: rules.add(RuleKind.CONTENT, "tea", {"actions": [], "pattern": "tea"}),
        lambda rules: rules.add(RuleKind.SENDER, "@ann:test", {"actions": []}),
        lambda rules: rules.add(
            override, "any", {"actions": ["notify"], "conditions": [condition("content.body", "*e*")]}
        ),
        lambda rules: rules.add(override, "name", {"actions": LOUD, "conditions": [{"kind": "contains_display_name"}]}),
        lambda rules: rules.add(
            override, "topic", {"actions": LOUD, "conditions": [condition("type", "m.room.topic")]}
        ),
        lambda rules: rules.add(
            underride, "two", {"actions": LOUD, "conditions": [{"kind": "room_member_count", "is": "<=3"}]}
        ),
        lambda rules: rules.enable(override, ".m.rule.master", not rules.rule(override, ".m.rule.master").is_enabled),
        lambda rules: rules.set_actions(underride, ".m.rule.message", []),
        lambda rules: rules.set_actions(underride, ".m.rule.room_one_to_one", []),
        lambda rules: rules.enable(override, ".m.rule.is_room_mention", False),
        lambda rules: rules.enable(override, ".m.rule.suppress_notices", False),
    ]


@dataclass
class Told:
    """An event, and what it said to each member at the time."""

    event_id: str
    thread: str
    sender: str
    is_state: bool
    counts: dict[str, Counts] = field(default_factory=dict)


@dataclass
class Reader:
    """A member: the display name, and the index of the last event that was read, by thread."""

    name: str | None
    marks: dict[str, int]


class BusyRoom:
    """The room, and everything that happened in it."""

    def __init__(self, server: TestServer, seed: int) -> None:
        self.server = server
        self.random = Random(seed)
        self.tokens: dict[str, str] = {}
        self.room_id = ""
        self.story: list[Told] = []
        self.members: dict[str, Reader] = {}
        self.rules: dict[str, Ruleset] = {}
        self.ignored: dict[str, set[str]] = {}
        self.log: list[str] = []

    async def found(self) -> None:
        """Ann makes the room; Ben joins."""
        for name in NAMES:
            self.tokens[f"@{name}:test"] = await self.server.register(name)
        self.room_id = await self.server.create_room(self.tokens["@ann:test"], preset="public_chat")
        self.members["@ann:test"] = Reader("ann", {"": 0})
        await self._member("@ben:test", "join", "ben")

    async def act(self) -> None:
        """Let something happen."""
        actions: list[tuple[int, Callable[[], Any]]] = [
            (12, self._message),
            (4, self._receipt),
            (2, self._rule_change),
            (1, self._ignore),
            (2, self._come_or_go),
            (1, self._rename),
            (1, self._topic),
            (2, self._redact),
            (1, self._reload),
        ]
        weights, choices = zip(*actions, strict=True)
        await self.random.choices(choices, weights)[0]()

    def unread(self, user_id: str) -> dict[str, Counts]:
        """What a member has not read, by thread, worked out event by event."""
        marks = self.members[user_id].marks
        found: dict[str, Counts] = {}
        for index, told in enumerate(self.story):
            if index > max(marks[""], marks.get(told.thread, 0)):
                old, new = found.get(told.thread, (0, 0)), told.counts.get(user_id, (0, 0))
                found[told.thread] = old[0] + new[0], old[1] + new[1]
        return {thread: counts for thread, counts in found.items() if any(counts)}

    async def _send(self, draft: Draft) -> str:
        event_id = await self.server.rooms.creation.send(self.room_id, draft)
        stored = await self.server.rooms.events.get_one(event_id)
        assert stored is not None
        relation = draft.content.get("m.relates_to", {})
        thread = relation["event_id"] if relation.get("rel_type") == "m.thread" else "main"
        told = Told(event_id, thread, draft.sender, draft.state_key is not None)
        levels = (await self.server.rooms.live.get(self.room_id)).power_levels
        context = RoomContext(len(self.members), levels.of(draft.sender), levels.notifications)
        for user_id, reader in self.members.items():
            member = PushMember(user_id, reader.name)
            rules = self.rules.get(user_id, Ruleset.default())
            notify, highlight = evaluate(rules, EventView(stored.event), context, member).counts
            is_ignored = draft.sender in self.ignored.get(user_id, ())
            told.counts[user_id] = (0, 0) if is_ignored else (int(notify), int(highlight))
        self.story.append(told)
        if not told.is_state and draft.redacts is None:
            self.members[draft.sender].marks[thread] = len(self.story) - 1
        return event_id

    async def _message(self) -> None:
        content: dict[str, Any] = {"msgtype": "m.text", "body": " ".join(self.random.choices(WORDS, k=2))}
        if self.random.random() < 0.2:
            content["m.mentions"] = {"user_ids": self.random.choices(list(self.members), k=1)}
        elif self.random.random() < 0.1:
            content["m.mentions"] = {"room": True}
        if self.random.random() < 0.1:
            content["msgtype"] = "m.notice"
        roots = [told for told in self.story[-12:] if told.thread == "main"]
        if roots and self.random.random() < 0.35:
            content["m.relates_to"] = {"rel_type": "m.thread", "event_id": self.random.choice(roots).event_id}
        kind = self.random.choice(["m.room.message"] * 6 + ["m.room.encrypted", "m.reaction", "org.example.x"])
        self.log.append(f"{kind} {content}")
        await self._send(Draft(type=kind, sender=self._somebody(), content=content))

    async def _receipt(self) -> None:
        if not self.story:
            return
        user_id = self._somebody()
        index = max(0, len(self.story) - 1 - int(self.random.expovariate(0.4)))
        told = self.story[index]
        thread = self.random.choice(["", "", "main", told.thread])
        self.log.append(f"receipt of {user_id} at {index} in {thread}")
        kind = self.random.choice(["m.read", "m.read.private"])
        receipts = self.server.homeserver.front(Receipts)
        await receipts.mark_read(user_id, self.room_id, told.event_id, kind, thread)
        marks = self.members[user_id].marks
        marks[thread] = max(marks.get(thread, 0), index)

    async def _rule_change(self) -> None:
        user_id = self.random.choice(sorted(self.tokens))
        chosen = self.random.randrange(len(_edits(self.room_id)))
        self.log.append(f"rules of {user_id}: {chosen}")
        edit = _edits(self.room_id)[chosen]
        await self.server.homeserver.front(PushRules).change(user_id, edit)
        self.rules[user_id] = edit(self.rules.get(user_id, Ruleset.default()))

    async def _ignore(self) -> None:
        user_id, other = self.random.sample(sorted(self.tokens), k=2)
        self.ignored[user_id] = {other} if self.random.random() < 0.5 else set()
        self.log.append(f"{user_id} ignores {self.ignored[user_id]}")
        content: dict[str, Any] = {"ignored_users": {other: {} for other in self.ignored[user_id]}}
        await self.server.homeserver.front(UserData).put(user_id, GLOBAL, IGNORED_USERS, content)
        await caught_up(self.server)

    async def _come_or_go(self) -> None:
        user_id = self.random.choice(["@ben:test", "@cat:test", "@dan:test"])
        if user_id in self.members:
            await self._member(user_id, "leave", None)
        else:
            await self._member(user_id, "join", user_id[1:4])

    async def _rename(self) -> None:
        user_id = self._somebody()
        await self._member(user_id, "join", self.random.choice(WORDS))

    async def _member(self, user_id: str, membership: str, name: str | None) -> None:
        self.log.append(f"{user_id} {membership} {name}")
        if membership == "leave":
            del self.members[user_id]
        elif user_id in self.members:
            self.members[user_id].name = name
        else:
            self.members[user_id] = Reader(name, {"": len(self.story)})
        content = {"membership": membership, **({"displayname": name} if name else {})}
        await self._send(Draft(type="m.room.member", sender=user_id, state_key=user_id, content=content))

    async def _topic(self) -> None:
        self.log.append("topic")
        content = {"topic": str(len(self.story))}
        await self._send(Draft(type="m.room.topic", sender="@ann:test", state_key="", content=content))

    async def _redact(self) -> None:
        shown = [told for told in self.story[-10:] if not told.is_state]
        if not shown:
            return
        target = self.random.choice(shown)
        self.log.append(f"redacts {self.story.index(target)}")
        target.counts = {}
        await self._send(Draft(type="m.room.redaction", sender="@ann:test", content={}, redacts=target.event_id))

    async def _reload(self) -> None:
        self.log.append("reload")
        self.server.rooms.live.drop_all()

    def _somebody(self) -> str:
        return self.random.choice(sorted(self.members))
