"""A server of the tests' own: makes events by hand, good ones and bad ones, and answers what it is asked about them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from synapse_like.federation.errors import RemoteError
from synapse_like.matrix.auth_rules import auth_keys_for
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.events import Event
from synapse_like.matrix.hashes import content_hash
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.signatures import sign_event
from tests.kit.damage import text_of
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair

V1 = "/_matrix/federation/v1"
Key = tuple[str, str]


class Stranger:
    """The server `three` with a user Xavier. `known` are the events that it tells of, `states` the states before them.

    `silent` are beginnings of paths that are answered with an error; `asked` is what was asked.
    """

    name = "three"
    user_id = "@xavier:three"

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.known: dict[str, Event] = {}
        self.states: dict[str, Sequence[Event]] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self.devices: Any = None
        """What it answers about the devices of its users."""
        self._count = 0
        pair.net.own[self.name] = self._answer
        pair.net.key_of(self.name)

    # -- making events -------------------------------------------------------------------------------------------------

    def sign(self, pdu: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
        """A PDU with hashes and our signature, nothing of it checked."""
        full = {**pdu, "hashes": {"sha256": content_hash(pdu)}, "signatures": {}}
        return sign_event(full, version, self.name, self.pair.net.key_of(self.name))

    async def draft(self, server: TestServer, room_id: str, kind: str, content: Any, **fields: Any) -> dict[str, Any]:
        """A PDU on what `server` has of the room now; `fields` replace what is given. Without hashes and signatures."""
        live = await server.rooms.live.get(room_id)
        await server.rooms.live.add_members(live, [self.user_id])
        version = live.identity.version
        sender, state_key = fields.get("sender", self.user_id), fields.get("state_key")
        wanted = auth_keys_for(kind, sender, state_key, content if isinstance(content, dict) else {}, version)
        ids = [found.event_id for key in wanted if (found := live.auth_event(key)) is not None]
        auth = [stored.event for stored in (await server.rooms.events.get(ids)).values()]
        tips = await server.rooms.events.get(extremity.event_id for extremity in live.head.extremities)
        self._count += 1
        pdu: dict[str, Any] = {
            "type": kind,
            "sender": sender,
            "room_id": room_id,
            "content": content,
            "origin_server_ts": 1_700_000_000_000 + self._count,
            "depth": min(live.head.depth + 1, 2**53 - 1),
            "prev_events": [tip.event.reference for tip in tips.values()],
            "auth_events": [event.reference for event in auth],
        }
        if version.has_chosen_event_ids:
            pdu["event_id"] = f"$event{self._count}:{self.name}"
        return pdu | fields

    async def event(self, server: TestServer, room_id: str, kind: str, content: Any, **fields: Any) -> Event:
        """A good event on what `server` has of the room now; it is known to this server."""
        live = await server.rooms.live.get(room_id)
        pdu = self.sign(await self.draft(server, room_id, kind, content, **fields), live.identity.version)
        event = Event.from_pdu(pdu, live.identity.version)
        self.known[event.event_id] = event
        return event

    async def message(self, server: TestServer, room_id: str, text: str, **fields: Any) -> Event:
        """A text message of Xavier's."""
        return await self.event(server, room_id, "m.room.message", {"msgtype": "m.text", "body": text}, **fields)

    async def chain(self, server: TestServer, room_id: str, count: int) -> list[Event]:
        """Messages, each on the one before."""
        events = [await self.message(server, room_id, "0")]
        for number in range(1, count):
            last = events[-1]
            more = {"prev_events": [last.reference], "depth": last.depth + 1}
            events.append(await self.message(server, room_id, str(number), **more))
        return events

    async def join(self, server: TestServer, room_id: str) -> Event:
        """Let Xavier join a public room, by a plain transaction."""
        content = {"membership": "join", "displayname": "Xavier"}
        event = await self.event(server, room_id, "m.room.member", content, state_key=self.user_id)
        assert await self.send(server, [event]) == {event.event_id: {}}
        return event

    # -- speaking ------------------------------------------------------------------------------------------------------

    async def send(self, server: TestServer, events: Iterable[Event | Mapping[str, Any]], **options: Any) -> Any:
        """Send a transaction; the results by event id."""
        status, body = await self.transaction(server, events, **options)
        assert status == 200, body
        return body["pdus"]

    async def transaction(
        self,
        server: TestServer,
        events: Iterable[Event | Mapping[str, Any]] = (),
        *,
        edus: Sequence[Any] = (),
        transaction_id: str = "",
    ) -> tuple[int, Any]:
        """Send a transaction; status and body of the answer."""
        self._count += 1
        pdus = [event.pdu if isinstance(event, Event) else dict(event) for event in events]
        body = {"origin": self.name, "origin_server_ts": 1, "pdus": pdus, "edus": list(edus)}
        path = f"{V1}/send/{transaction_id or f't{self._count}'}"
        name = server.homeserver.kit.server_name
        return await self.pair.ask(self.name, name, "PUT", path, canonical_json(body))

    async def ask(self, server: TestServer, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """Ask a server; `path` is below `/_matrix/federation/v1` unless it says otherwise."""
        path = path if path.startswith("/_matrix") else V1 + path
        return await self.pair.ask(self.name, server.homeserver.kit.server_name, method, path, body)

    def _answer(self, method: str, target: str, body: Any) -> Any:
        self.asked.append(f"{method} {target}")
        path, _, query = target.partition("?")
        if any(path.startswith(V1 + silent) for silent in self.silent):
            raise RemoteError(self.name, 500, {})
        what, _, rest = path.removeprefix(V1 + "/").partition("/")
        fields = parse_qs(query)
        if what == "event":
            return {"pdus": [self._known(rest).pdu]}
        if what == "state_ids":
            state = self._state(fields["event_id"][0])
            return {"pdu_ids": [e.event_id for e in state], "auth_chain_ids": [e.event_id for e in self._chain(state)]}
        if what == "state":
            state = self._state(fields["event_id"][0])
            return {"pdus": [e.pdu for e in state], "auth_chain": [e.pdu for e in self._chain(state)]}
        if what == "event_auth":
            event = self._known(rest.partition("/")[2])
            return {"auth_chain": [e.pdu for e in self._chain([event]) if e != event]}
        if what == "get_missing_events":
            return {"events": [event.pdu for event in self._between(body)]}
        if what == "backfill":
            return {"pdus": [e.pdu for e in self._behind([self._known(each) for each in fields["v"]])]}
        if what == "send":
            return {"pdus": {}}
        if what == "user" and self.devices is not None:
            return text_of(self.devices)
        raise RemoteError(self.name, 404, {"errcode": "M_UNRECOGNIZED"})

    def _known(self, event_id: str) -> Event:
        if event_id not in self.known:
            raise RemoteError(self.name, 404, {"errcode": "M_NOT_FOUND"})
        return self.known[event_id]

    def _state(self, event_id: str) -> Sequence[Event]:
        if event_id not in self.states:
            raise RemoteError(self.name, 404, {"errcode": "M_NOT_FOUND"})
        return self.states[event_id]

    def _chain(self, events: Iterable[Event]) -> list[Event]:
        found: dict[str, Event] = {}
        waiting = list(events)
        while waiting:
            event = waiting.pop()
            if event.event_id not in found:
                found[event.event_id] = event
                waiting += [self.known[each] for each in event.auth_references if each in self.known]
        return list(found.values())

    def _between(self, body: Any) -> list[Event]:
        latest = [self._known(each) for each in body["latest_events"]]
        stop = set(body["earliest_events"]) | set(body["latest_events"])
        found = [event for event in self._behind(latest) if event.event_id not in stop]
        return sorted(found[: body["limit"]], key=lambda event: event.depth)

    def _behind(self, events: Iterable[Event]) -> list[Event]:
        found: dict[str, Event] = {}
        waiting = list(events)
        while waiting:
            event = waiting.pop(0)
            if event.event_id not in found:
                found[event.event_id] = event
                waiting += [self.known[each] for each in event.prev_event_ids if each in self.known]
        return list(found.values())

    async def learn(self, server: TestServer, room_id: str) -> list[Event]:
        """Know the room's state as `server` has it, and all that leads to it by auth events; the state."""
        live = await server.rooms.live.get(room_id)
        members = await server.rooms.memberships.members_of(room_id, ("join", "invite", "leave", "ban"))
        ids = [state.event.event_id for state in live.state.values()] + [member.event_id for member in members]
        state = [stored.event for stored in (await server.rooms.events.get(ids)).values()]
        waiting: set[str] = {event.event_id for event in state}
        while waiting:
            events = [stored.event for stored in (await server.rooms.events.get(waiting)).values()]
            self.known.update({event.event_id: event for event in events})
            waiting = {str(each) for event in events for each in event.auth_references} - self.known.keys()
        return state
