"""Random life on a server: users who create, join, leave, talk, read, and change things, driven by one seed."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from synapse_like.matrix.auth_rules import auth_keys_for
from synapse_like.rooms.facts import Kind
from synapse_like.rooms.front import Draft
from tests.kit.encryption import KeyDevice
from tests.kit.homeserver import TestServer
from tests.kit.key_life import KeyLife
from tests.kit.spine import remote_event

Action = Callable[[], Awaitable[Any]]
PRESETS = ("public_chat", "public_chat", "private_chat", "trusted_private_chat")
STRANGER = "@stranger:there"
VISIBILITIES = ("shared", "joined", "invited", "world_readable")


class Life:
    """Actions of some users. Refusals by the server (4xx) are part of life; anything else is not."""

    def __init__(
        self, server: TestServer, tokens: dict[str, str], seed: int, devices: Sequence[KeyDevice] = ()
    ) -> None:
        self.server = server
        self.tokens = tokens
        self.random = random.Random(seed)
        self.keys = KeyLife(server, list(devices), self.random)
        self.rooms: list[str] = []
        self.events: dict[str, list[str]] = {}
        self.history: list[str] = []
        self._count = 0

    async def act(self) -> None:
        """One action of somebody."""
        if len(self.rooms) < 2:
            await self._create()
            return
        action = self.random.choice(
            [self._create]
            + [self._member] * 6
            + [self._send] * 8
            + [self._state] * 4
            + [self._redact]
            + [self._read] * 3
            + [self._typing] * 2
            + [self._data] * 3
            + [self._rename]
            + [self._elsewhere] * 5
            + [self.keys.act] * (8 if self.keys.devices else 0)
        )
        await action()

    async def _do(self, user: str, method: str, path: str, body: Any = None) -> Any:
        answer = await self.server.request(method, path, body, token=self.tokens[user])
        self.history.append(f"{answer.status} {user} {method} {path} {body}")
        assert answer.status < 500 or answer.status == 502, self.history[-1]  # the stranger's server is not there
        return answer.body if answer.status == 200 else None

    def _someone(self) -> str:
        return self.random.choice(sorted(self.tokens))

    def _room(self) -> str:
        return self.random.choice(self.rooms)

    async def _create(self) -> None:
        if len(self.rooms) >= 5:
            return
        options = {
            "preset": self.random.choice(PRESETS),
            "room_version": self.random.choice(["12", "11", "6"]),
            "name": "a room" if self.random.random() < 0.5 else "",
            "invite": [f"@{self._someone()}:test"] if self.random.random() < 0.3 else [],
        }
        user = self._someone()
        options["invite"] = [name for name in options["invite"] if name != f"@{user}:test"]
        made = await self._do(user, "POST", "/createRoom", {k: v for k, v in options.items() if v})
        if made:
            self.rooms.append(made["room_id"])

    async def _member(self) -> None:
        room = quote(self._room())
        user, other = self._someone(), f"@{self._someone()}:test"
        verb = self.random.choice(
            ["join", "join", "join", "leave", "invite", "invite", "kick", "ban", "unban", "forget"]
        )
        if verb in ("join", "leave", "forget"):
            await self._do(user, "POST", f"/rooms/{room}/{verb}", {})
        else:
            await self._do(user, "POST", f"/rooms/{room}/{verb}", {"user_id": other})

    async def _send(self) -> None:
        room, user = self._room(), self._someone()
        for _ in range(self.random.choice([1, 1, 1, 3, 14])):
            self._count += 1
            path = f"/rooms/{quote(room)}/send/m.room.message/t{self._count}"
            text = self.random.choice(["hello", "alice: look", "bob", "nothing much"])
            body: dict[str, Any] = {"msgtype": "m.text", "body": text}
            if self.random.random() < 0.2:
                body["m.mentions"] = {"user_ids": [f"@{self._someone()}:test"]}
            sent = await self._do(user, "PUT", path, body)
            if sent:
                self.events.setdefault(room, []).append(sent["event_id"])

    async def _state(self) -> None:
        room, user = quote(self._room()), self._someone()
        kind, content = self.random.choice(
            [
                ("m.room.name", {"name": f"name {self.random.randrange(4)}"}),
                ("m.room.topic", {"topic": f"topic {self.random.randrange(4)}"}),
                ("m.room.power_levels", {"state_default": 0, "users_default": 50, "users": {}}),
                ("m.room.history_visibility", {"history_visibility": self.random.choice(VISIBILITIES)}),
                ("m.room.join_rules", {"join_rule": self.random.choice(["public", "public", "invite"])}),
            ]
        )
        await self._do(user, "PUT", f"/rooms/{room}/state/{kind}/", content)

    async def _redact(self) -> None:
        room = self._room()
        if self.events.get(room):
            self._count += 1
            event_id = quote(self.random.choice(self.events[room]), safe="")
            await self._do(self._someone(), "PUT", f"/rooms/{quote(room)}/redact/{event_id}/r{self._count}", {})

    async def _read(self) -> None:
        room = self._room()
        if self.events.get(room):
            event_id = quote(self.random.choice(self.events[room][-5:]), safe="")
            kind = self.random.choice(["m.read", "m.read", "m.read.private", "m.fully_read"])
            body = self.random.choice([{}, {"thread_id": "main"}]) if kind != "m.fully_read" else {}
            await self._do(self._someone(), "POST", f"/rooms/{quote(room)}/receipt/{kind}/{event_id}", body)

    async def _typing(self) -> None:
        user = self._someone()
        body = self.random.choice([{"typing": True, "timeout": 20000}, {"typing": False}])
        await self._do(user, "PUT", f"/rooms/{quote(self._room())}/typing/@{user}:test", body)

    async def _data(self) -> None:
        user = self._someone()
        path = self.random.choice(["", f"/rooms/{quote(self._room())}"])
        kind = self.random.choice(["org.example.a", "org.example.b"])
        body = {"value": self.random.randrange(100)}
        await self._do(user, "PUT", f"/user/@{user}:test{path}/account_data/{kind}", body)

    async def _rename(self) -> None:
        user = self._someone()
        name = {"displayname": f"{user} {self.random.randrange(5)}"}
        await self._do(user, "PUT", f"/profile/@{user}:test/displayname", name)

    async def _elsewhere(self) -> None:
        """Somebody on another server joins, talks or sets a topic, on what that server knew some time ago."""
        room_id = self._room()
        rooms = await self.server.rooms_at(room_id)
        live = await rooms.live.get(room_id)
        await live.settled()
        await rooms.live.add_members(live, [STRANGER])
        member = live.members.get(STRANGER)
        known = [tip for e in live.head.extremities if (tip := await rooms.events.get_one(e.event_id)) is not None]
        if not known:
            return
        if member is not None and self.events.get(room_id) and self.random.random() < 0.6:
            old = await rooms.events.get_one(self.random.choice(self.events[room_id][-8:]))
            known = [old] if old is not None else known
        draft = self._stranger_draft(member is not None and member.membership == "join")
        keys = auth_keys_for(draft.type, STRANGER, draft.state_key, draft.content, live.identity.version)
        auth_ids = [found.event_id for key in keys if (found := live.auth_event(key)) is not None]
        auth = [stored.event for stored in (await rooms.events.get(auth_ids)).values()]
        event = await remote_event(rooms, room_id, draft, [stored.event for stored in known], auth)
        kinds = await rooms.reception.receive(room_id, [event])
        self.history.append(f"{kinds[0].name} elsewhere {room_id} {draft.type} {draft.content}")
        if kinds == [Kind.LIVE] and draft.type == "m.room.message":
            self.events.setdefault(room_id, []).append(event.event_id)

    def _stranger_draft(self, has_joined: bool) -> Draft:
        self._count += 1
        if not has_joined or self.random.random() < 0.1:
            membership = "leave" if has_joined else "join"
            return Draft(type="m.room.member", sender=STRANGER, content={"membership": membership}, state_key=STRANGER)
        if self.random.random() < 0.4:
            topic = {"topic": f"from elsewhere {self._count}"}
            return Draft(type="m.room.topic", sender=STRANGER, content=topic, state_key="")
        return Draft(type="m.room.message", sender=STRANGER, content={"msgtype": "m.text", "body": f"{self._count}"})
