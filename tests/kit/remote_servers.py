"""Other servers as ours sees them, without sockets: their users in rooms here, and what is sent to them.

Events of their users are built here and fed in as verified. `Remotes` stands where the federation client would send:
it notes every transaction, and fails when a test says so.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from synapse_like.federation.front import Federation
from synapse_like.federation.outbound import Sender
from synapse_like.federation.outbound.queue import Queue
from synapse_like.matrix.auth_rules import auth_keys_for
from synapse_like.matrix.errors import ConnectionFailed
from synapse_like.matrix.events import Event
from synapse_like.matrix.signatures import build_event
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import MEMBER
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
        client: Any = homeserver.front(Federation).client
        client.put = self.put

    async def put(self, destination: str, path: str, body: dict[str, Any], **_: Any) -> Any:
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
        self.transactions[destination].append((transaction_id, body))
        return {"pdus": {}}

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


async def receive(server: TestServer, room_id: str, draft: Draft) -> Event:
    """Take in an event of another server's user."""
    event = await remote_event(server.rooms, room_id, draft)
    await server.rooms.reception.receive(room_id, [event])
    await server.caught_up()
    return event


async def member(server: TestServer, room_id: str, user_id: str, membership: str = "join") -> Event:
    """Let a user of another server join, or leave."""
    draft = Draft(type=MEMBER, sender=user_id, content={"membership": membership}, state_key=user_id)
    return await receive(server, room_id, draft)
