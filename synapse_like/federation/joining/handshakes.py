"""The two steps by which our users join, knock and leave by way of another server: its template, our signed event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from synapse_like.federation.client import FederationClient, path_of
from synapse_like.federation.errors import BadReply, RemoteError
from synapse_like.federation.replies import LARGEST_REPLY, RoomReply
from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from synapse_like.matrix.signatures import build_event
from synapse_like.rooms.creation import Identity
from synapse_like.rooms.live import MEMBER
from synapse_like.rooms.told import Told
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.randomness import Randomness

V1: Final = "/_matrix/federation/v1"
V2: Final = "/_matrix/federation/v2"
_ID_LETTERS: Final = 18

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """A membership that a local user wants; `content` are further keys of the event."""

    room_id: str
    user_id: str
    membership: str
    content: Mapping[str, Any] = field(default_factory=dict)


class Handshakes:
    """Makes and sends membership events by way of other servers. Methods raise what `FederationClient` raises."""

    def __init__(self, client: FederationClient, identity: Identity, clock: Clock, randomness: Randomness) -> None:
        self._client = client
        self._identity = identity
        self._clock = clock
        self._randomness = randomness

    async def make(self, server: str, wish: Wish) -> Event:
        """The signed event for a wish, on that server's template. Raises BadReply for a template that is none."""
        path = path_of(f"{V1}/make_{wish.membership}", wish.room_id, wish.user_id)
        query = {} if wish.membership == "leave" else {"ver": list(ROOM_VERSIONS)}
        answer = await self._client.get(server, path, query)
        template = answer.get("event") if isinstance(answer, dict) else None
        version = ROOM_VERSIONS.get(str(answer.get("room_version", "1"))) if isinstance(answer, dict) else None
        if version is None or not isinstance(template, dict):
            raise BadReply(f"{server} gave no template that can be used")
        try:
            return self._signed(template, wish, version)
        except (MatrixError, KeyError, TypeError) as error:
            raise BadReply(f"{server} gave a template that is no event: {error}") from error

    def _signed(self, template: Json, wish: Wish, version: RoomVersion) -> Event:
        """Of the template only what depends on the room counts; the rest is ours to say."""
        told = template.get("content")
        content: Json = {**wish.content, "membership": wish.membership}
        authoriser = told.get("join_authorised_via_users_server") if isinstance(told, dict) else None
        if authoriser is not None and wish.membership == "join":
            content["join_authorised_via_users_server"] = authoriser
        pdu: Json = {
            "type": MEMBER,
            "sender": wish.user_id,
            "state_key": wish.user_id,
            "room_id": wish.room_id,
            "content": content,
            "origin_server_ts": self._clock.now_ms(),
            **{key: template[key] for key in ("depth", "prev_events", "auth_events")},
        }
        return self.sign(pdu, version)

    def sign(self, pdu: Json, version: RoomVersion) -> Event:
        """The event of a PDU, signed by us."""
        own = self._identity
        if version.has_chosen_event_ids:
            pdu["event_id"] = f"${self._randomness.random_string(_ID_LETTERS)}:{own.server_name}"
        return build_event(pdu, room_version=version, signing_key=own.signing_key, server_name=own.server_name)

    async def send_join(self, server: str, event: Event, told: Told) -> RoomReply:
        """Send a join; what the server tells of the room goes to `told`. Raises BadReply."""
        reply = RoomReply(server, told)
        path = path_of(f"{V2}/send_join", event.room_id, event.event_id)
        try:
            await self._client.stream(server, path, reply.write, event.encoded, limit_bytes=LARGEST_REPLY)
        except RemoteError as error:
            if not error.is_unknown_endpoint:
                raise
            path = path_of(f"{V1}/send_join", event.room_id, event.event_id)
            await self._client.stream(server, path, reply.write, event.encoded, limit_bytes=LARGEST_REPLY)
        reply.finish()
        return reply

    async def send_knock(self, server: str, event: Event) -> list[Any]:
        """Send a knock; what is shown of the room."""
        path = path_of(f"{V1}/send_knock", event.room_id, event.event_id)
        answer = await self._client.put(server, path, event.pdu)
        shown = answer.get("knock_room_state") if isinstance(answer, dict) else None
        return shown if isinstance(shown, list) else []

    async def send_leave(self, server: str, event: Event) -> None:
        """Send a departure."""
        try:
            await self._client.put(server, path_of(f"{V2}/send_leave", event.room_id, event.event_id), event.pdu)
        except RemoteError as error:
            if not error.is_unknown_endpoint:
                raise
            await self._client.put(server, path_of(f"{V1}/send_leave", event.room_id, event.event_id), event.pdu)

    async def send_invite(self, server: str, event: Event, room_state: Sequence[Json], shown: Sequence[Json]) -> Event:
        """Send an invite to the server of the invited; the event with the signature that it gave. Raises BadReply."""
        body = {
            "room_version": event.room_version.identifier,
            "event": event.pdu,
            "invite_room_state": list(room_state),
        }
        try:
            path = path_of(f"{V2}/invite", event.room_id, event.event_id)
            answer = await self._client.put(server, path, body)
        except RemoteError as error:
            if not error.is_unknown_endpoint or not event.room_version.has_chosen_event_ids:
                raise
            path = path_of(f"{V1}/invite", event.room_id, event.event_id)
            old = {**event.pdu, "unsigned": {"invite_room_state": list(shown)}}
            told = await self._client.put(server, path, old)
            answer = told[1] if isinstance(told, list) and len(told) == 2 else None
        return _with_signature_of(server, event, answer)


def _with_signature_of(server: str, event: Event, answer: Any) -> Event:
    """The event that we sent, with nothing of the answer but that server's signature."""
    told = answer.get("event") if isinstance(answer, dict) else None
    signatures = told.get("signatures") if isinstance(told, dict) else None
    theirs = signatures.get(server) if isinstance(signatures, dict) else None
    if not isinstance(theirs, dict) or not all(isinstance(text, str) for text in theirs.values()):
        raise BadReply(f"{server} has not signed the invite")
    pdu = {**event.pdu, "signatures": {**event.pdu["signatures"], server: theirs}}
    return Event.restored(event.event_id, pdu, event.room_version)
