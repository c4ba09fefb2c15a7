"""A client that does what clients do with /sync: it applies responses and keeps what it knows."""

from dataclasses import dataclass, field
from typing import Any

from tests.kit.homeserver import TestServer

StateKey = tuple[str, str]
STANDING = {"next_batch", "device_one_time_keys_count", "device_unused_fallback_key_types"}
"""What every response holds, whether there is news or not."""


@dataclass
class KnownRoom:
    """What a client knows of a joined room."""

    state: dict[StateKey, Any] = field(default_factory=dict)
    timeline: list[str] = field(default_factory=list)
    account_data: dict[str, Any] = field(default_factory=dict)
    receipts: dict[tuple[str, str, str | None], str] = field(default_factory=dict)
    typing: frozenset[str] = frozenset()
    summary: dict[str, Any] = field(default_factory=dict)
    counts: tuple[int, int] = (0, 0)


@dataclass
class SyncClient:
    """One client of one user. `uses_state_after` chooses the newer way to tell state."""

    server: TestServer
    token: str
    uses_state_after: bool = False
    since: str | None = None
    rooms: dict[str, KnownRoom] = field(default_factory=dict)
    invites: dict[str, Any] = field(default_factory=dict)
    knocks: dict[str, Any] = field(default_factory=dict)
    account_data: dict[str, Any] = field(default_factory=dict)
    presence: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    """Of each user whose devices this client follows: the keys, as asked for last."""
    key_counts: tuple[Any, Any] = (None, None)
    messages: list[Any] = field(default_factory=list)
    """Messages to the device, in the order in which they came."""

    async def sync(self, **query: Any) -> Any:
        """Sync once and take the response in."""
        if self.uses_state_after:
            query["use_state_after"] = "true"
        is_first = self.since is None
        response = await self.server.sync(self.token, self.since, **query)
        self.take(response)
        await self._follow_keys(response, is_first)
        return response

    async def _follow_keys(self, response: Any, is_first: bool) -> None:
        """Ask for the keys of those whose devices changed: at first, of all members of the user's rooms."""
        lists = response.get("device_lists", {})
        changed = set(lists.get("changed", []))
        if is_first:
            changed = {key[1] for room in self.rooms.values() for key in room.state if _is_joined(room, key)}
            changed.add((await self.server.ok("GET", "/account/whoami", token=self.token))["user_id"])
        for user_id in lists.get("left", []):
            self.keys.pop(user_id, None)
        body: dict[str, Any] = {
            "device_keys": {user_id: [] for user_id in sorted(changed) if user_id.endswith(":test")}
        }
        answer = await self.server.ok("POST", "/keys/query", body, token=self.token)
        for user_id in body["device_keys"]:
            names = ("master_keys", "self_signing_keys", "user_signing_keys")
            others = {name: answer[name].get(user_id) for name in names}
            self.keys[user_id] = {"devices": answer["device_keys"].get(user_id), **others}

    async def catch_up(self) -> None:
        """Sync until nothing is new."""
        await self.server.caught_up()
        for _ in range(20):
            response = await self.sync()
            if not response.keys() - STANDING:
                return

    def take(self, response: Any) -> None:
        """Apply a response as a client does."""
        self.since = response["next_batch"]
        for event in response.get("account_data", {}).get("events", []):
            self.account_data[event["type"]] = event["content"]
        counts = ("device_one_time_keys_count", "device_unused_fallback_key_types")
        self.key_counts = (response[counts[0]], sorted(response[counts[1]]))
        self.messages += response.get("to_device", {}).get("events", [])
        for event in response.get("presence", {}).get("events", []):
            self.presence[event["sender"]] = event["content"].get("presence")
        rooms = response.get("rooms", {})
        for room_id, part in rooms.get("join", {}).items():
            self._take_joined(room_id, part)
        for room_id, part in rooms.get("invite", {}).items():
            self._forget(room_id)
            self.invites[room_id] = _stripped(part["invite_state"]["events"])
        for room_id, part in rooms.get("knock", {}).items():
            self._forget(room_id)
            self.knocks[room_id] = _stripped(part["knock_state"]["events"])
        for room_id in rooms.get("leave", {}):
            self._forget(room_id)

    def _take_joined(self, room_id: str, part: Any) -> None:
        if room_id not in self.rooms:
            self._forget(room_id)
        room = self.rooms.setdefault(room_id, KnownRoom())
        timeline = part["timeline"]["events"]
        if part["timeline"]["limited"]:
            room.timeline = []
        for event in part.get("state", {}).get("events", []):
            room.state[event["type"], event["state_key"]] = _essence(event)
        for event in timeline:
            assert event["event_id"] not in room.timeline, "an event came twice"
            room.timeline.append(event["event_id"])
            if "state_key" in event and not self.uses_state_after:
                room.state[event["type"], event["state_key"]] = _essence(event)
        for event in part.get("state_after", {}).get("events", []):
            room.state[event["type"], event["state_key"]] = _essence(event)
        self._take_more(room, part)

    def _take_more(self, room: KnownRoom, part: Any) -> None:
        for event in part.get("account_data", {}).get("events", []):
            room.account_data[event["type"]] = event["content"]
        for event in part.get("ephemeral", {}).get("events", []):
            if event["type"] == "m.typing":
                room.typing = frozenset(event["content"]["user_ids"])
            if event["type"] == "m.receipt":
                _take_receipts(room, event["content"])
        room.summary.update(part.get("summary", {}))
        if "unread_notifications" in part:
            counts = part["unread_notifications"]
            room.counts = (counts["notification_count"], counts["highlight_count"])

    def _forget(self, room_id: str) -> None:
        for known in (self.rooms, self.invites, self.knocks):
            known.pop(room_id, None)


Vanished = set[tuple[str, str, str]]
"""(room id, type, state key) of state that a resolution took out: clients cannot be told that a key is gone."""


async def vanished(server: TestServer) -> Vanished:
    """The keys that have vanished from rooms."""
    rows = await server.homeserver.kit.database.read(lambda txn: txn.all(_VANISHED))
    return {(room_id, kind, state_key) for room_id, kind, state_key in rows}


_VANISHED = """
    SELECT DISTINCT r.room_id, k.type, k.state_key FROM state_trunk t
    JOIN rooms r ON r.room_nid = t.room_nid JOIN state_keys k ON k.key_nid = t.key_nid WHERE t.event_nid IS NULL
"""


def differences(old: SyncClient, fresh: SyncClient, gone: Vanished) -> list[str]:
    """Where a client that followed along differs from one that has just begun. Empty: the law holds."""
    found = []
    for name in ("rooms", "invites", "knocks"):
        if getattr(old, name).keys() != getattr(fresh, name).keys():
            found.append(f"{name}: {sorted(getattr(old, name))} != {sorted(getattr(fresh, name))}")
    if old.account_data != fresh.account_data:
        found.append(f"account data: {old.account_data} != {fresh.account_data}")
    if old.key_counts != fresh.key_counts:
        found.append(f"one-time keys: {old.key_counts} != {fresh.key_counts}")
    for user_id in old.keys.keys() | fresh.keys.keys():
        if old.keys.get(user_id) != fresh.keys.get(user_id):
            found.append(f"keys of {user_id}: {old.keys.get(user_id)} != {fresh.keys.get(user_id)}")
    for room_id in old.rooms.keys() & fresh.rooms.keys():
        for _, kind, state_key in (key for key in gone if key[0] == room_id):
            if (kind, state_key) not in fresh.rooms[room_id].state:
                old.rooms[room_id].state.pop((kind, state_key), None)
        found += [f"{room_id} {difference}" for difference in _differ(old.rooms[room_id], fresh.rooms[room_id])]
    for room_id in old.invites.keys() & fresh.invites.keys():
        if old.invites[room_id] != fresh.invites[room_id]:
            found.append(f"{room_id} invite: {old.invites[room_id]} != {fresh.invites[room_id]}")
    return found


def _differ(old: KnownRoom, fresh: KnownRoom) -> list[str]:
    found = []
    for key in old.state.keys() | fresh.state.keys():
        if old.state.get(key) != fresh.state.get(key):
            found.append(f"state {key}: {old.state.get(key)} != {fresh.state.get(key)}")
    length = min(len(old.timeline), len(fresh.timeline))
    if old.timeline[-length:] != fresh.timeline[-length:] and length:
        found.append(f"timeline: {old.timeline[-length:]} != {fresh.timeline[-length:]}")
    for name in ("account_data", "receipts", "typing", "counts"):
        if getattr(old, name) != getattr(fresh, name):
            found.append(f"{name}: {getattr(old, name)} != {getattr(fresh, name)}")
    for name in ("m.joined_member_count", "m.invited_member_count"):
        if old.summary.get(name) != fresh.summary.get(name):
            found.append(f"{name}: {old.summary.get(name)} != {fresh.summary.get(name)}")
    return found


def _is_joined(room: KnownRoom, key: StateKey) -> bool:
    return key[0] == "m.room.member" and room.state[key]["content"].get("membership") == "join"


def _essence(event: Any) -> Any:
    return {key: event[key] for key in ("event_id", "sender", "content")}


def _stripped(events: Any) -> Any:
    return {(event["type"], event["state_key"]): event["content"] for event in events}


def _take_receipts(room: KnownRoom, content: Any) -> None:
    for event_id, kinds in content.items():
        for kind, users in kinds.items():
            for user_id, data in users.items():
                room.receipts[user_id, kind, data.get("thread_id")] = event_id
