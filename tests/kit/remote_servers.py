"""Other servers as ours sees them, without sockets: their users in rooms here, and what is sent to them.

Events of their users are built here and fed in as verified. `Remotes` stands where the federation client would send:
it notes every transaction, and fails when a test says so.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from synapse_like.federation.errors import RemoteError
from synapse_like.federation.front import Federation
from synapse_like.federation.outbound import Sender
from synapse_like.federation.outbound.queue import Queue
from synapse_like.matrix.auth_rules import auth_keys_for
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import ConnectionFailed
from synapse_like.matrix.events import Event
from synapse_like.matrix.signatures import build_event
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER
from synapse_like.toolkit.http.app import App
from synapse_like.toolkit.http.authentication import Authenticators
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.router import Router
from tests.kit.homeserver import TestServer
from workers.build import Homeserver, build_kit

_KEY = SigningKey.from_seed("b", b"b" * 32)


class Remotes:
    """All other servers. `dead` ones do not answer, `held` ones not until `release`, `errors` raise what is given."""

    def __init__(self, homeserver: Homeserver) -> None:
        self.transactions: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        self.tries: dict[str, list[str]] = defaultdict(list)
        self.dead: set[str] = set()
        self.errors: dict[str, Callable[[], Exception]] = {}
        self.held: dict[str, list[Deferred[None]]] = {}
        self._homeserver = homeserver
        self.meet(homeserver)
        self.asked: list[tuple[str, str, Any]] = []
        """(destination, path, body or query) of every other request."""
        self.answer: Callable[[str, str, Any], Any] = _refuse

    def meet(self, homeserver: Homeserver) -> None:
        """Be the other servers for one more process."""
        client: Any = homeserver.front(Federation).client
        client.put, client.get, client.post = self.put, self.get, self.post

    async def put(self, destination: str, path: str, body: bytes, **_: Any) -> Any:
        """What the federation client would send."""
        transaction_id = path.rsplit("/", 1)[1]
        self.tries[destination].append(transaction_id)
        if destination in self.held:
            held: Deferred[None] = Deferred()
            self.held[destination].append(held)
            await held
        if destination in self.errors:
            raise self.errors[destination]()
        if destination in self.dead:
            raise ConnectionFailed()
        assert canonical_json(json.loads(body)) == body
        self.transactions[destination].append((transaction_id, json.loads(body)))
        return {"pdus": {}}

    async def get(self, destination: str, path: str, query: Any = None, **_: Any) -> Any:
        """A GET, answered by `answer`."""
        return await self._ask(destination, path, query)

    async def post(self, destination: str, path: str, body: Any, query: Any = None, **_: Any) -> Any:
        """A POST, answered by `answer`."""
        return await self._ask(destination, path, body)

    async def _ask(self, destination: str, path: str, given: Any) -> Any:
        self.asked.append((destination, path, given))
        if destination in self.dead:
            raise ConnectionFailed()
        answer = self.answer(destination, path, given)
        return await answer if isinstance(answer, Deferred) else answer

    async def ask(self, origin: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Let another server ask ours; status and body of the answer."""
        users = self._homeserver.authenticators.users
        app = App(Router(self._homeserver.answers), Authenticators(users, _ByHeader()))
        raw = b"" if body is None else json.dumps(body).encode()
        request: Request[Any] = Request(method, path, [("x-origin", origin)], raw)
        reply = await app.answer(request, app.match(method, request.path))
        return reply.status, json.loads(reply.body)

    def hold(self, destination: str) -> None:
        """Let requests to this server hang."""
        self.held.setdefault(destination, [])

    def release(self, destination: str) -> None:
        """Let them go on."""
        for held in self.held.pop(destination, []):
            held.callback(None)

    def pdus(self, destination: str) -> list[dict[str, Any]]:
        """The events that a server has got, in order."""
        return [pdu for _, body in self.transactions[destination] for pdu in body["pdus"]]

    def texts(self, destination: str) -> list[str]:
        """The messages that a server has got, in order."""
        return [pdu["content"]["body"] for pdu in self.pdus(destination) if pdu["type"] == "m.room.message"]

    def edus(self, destination: str, edu_type: str = "") -> list[dict[str, Any]]:
        """The contents of the EDUs that a server has got, in order."""
        edus = [edu for _, body in self.transactions[destination] for edu in body.get("edus", [])]
        return [edu["content"] for edu in edus if edu_type in ("", edu["edu_type"])]

    async def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait for something to come true."""
        clock = self._homeserver.kit.clock
        end_ms = clock.monotonic_ms() + seconds * 1000
        while not condition():
            assert clock.monotonic_ms() < end_ms, "it has not come true in time"
            await clock.sleep(0.005)

    async def quiet(self) -> None:
        """Wait until everything that has happened is sent, as far as it can be."""
        await TestServer(self._homeserver).caught_up()
        sender: Sender = self._homeserver.front(Sender)
        await self.until(lambda: sender.is_quiet)


class _ByHeader:
    """Believes the header that `Remotes.ask` sets."""

    async def authenticate_server(self, request: Request[Any]) -> str:
        return request.headers.get("x-origin") or ""


def _refuse(destination: str, path: str, given: Any) -> Any:
    raise RemoteError(destination, 404, {"errcode": "M_NOT_FOUND", "error": "no"})


async def start_with_remotes(config: Any) -> tuple[TestServer, Remotes]:
    """A started server whose requests to others have led to `Remotes` from the first moment on."""
    homeserver = Homeserver(build_kit(config, reactor))
    remotes = Remotes(homeserver)
    await homeserver.start()
    return TestServer(homeserver), remotes


def let_lag(sender: Sender, destination: str) -> Queue:
    """Keep nothing for a server but its position, as if it had been away for long."""
    queue = sender.queues.peek(destination)
    assert queue is not None
    queue.give_up(sender.position)
    return queue


async def remote_event(rooms: Rooms, room_id: str, draft: Draft) -> Event:
    """An event of another server's user on top of all that the room has."""
    room = await rooms.live.get(room_id)
    version = room.identity.version
    tips = [extremity.event_id for extremity in room.head.extremities]
    stored = await rooms.events.get(tips)
    keys = auth_keys_for(draft.type, draft.sender, draft.state_key, draft.content, version)
    members = [key[1] for key in keys if key[0] == MEMBER]
    await rooms.live.add_members(room, members)
    wanted = [room.members[m].event_id for m in members if m in room.members]
    wanted += [room.state[key].event.event_id for key in keys if key in room.state]
    auth = await rooms.events.get(wanted)
    pdu: dict[str, Any] = {
        "type": draft.type,
        "sender": draft.sender,
        "room_id": room_id,
        "content": dict(draft.content),
        "origin_server_ts": 1_700_000_000_000,
        "depth": room.head.depth + 1,
        "prev_events": [event.event.reference for event in stored.values()],
        "auth_events": [event.event.reference for event in auth.values()],
    }
    if draft.state_key is not None:
        pdu["state_key"] = draft.state_key
    name = server_of(draft.sender)
    return build_event(pdu, room_version=version, signing_key=_KEY, server_name=name)


async def receive(server: TestServer, room_id: str, draft: Draft, rooms: Rooms | None = None) -> Event:
    """Take in an event of another server's user, where the room is owned (`rooms`)."""
    rooms = rooms or server.rooms
    event = await remote_event(rooms, room_id, draft)
    await rooms.reception.receive(room_id, [event])
    await server.caught_up()
    return event


async def member(
    server: TestServer, room_id: str, user_id: str, membership: str = "join", rooms: Rooms | None = None
) -> Event:
    """Let a user of another server join, or leave."""
    draft = Draft(type=MEMBER, sender=user_id, content={"membership": membership}, state_key=user_id)
    return await receive(server, room_id, draft, rooms)
