"""The spine alone, without features: rooms made and extended directly, events from elsewhere fed in."""

from typing import Any

from twisted.internet import reactor

from replication.sql import all_positions
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.matrix.signatures import build_event
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.rooms.facts import TRUNK, StateRef
from synapse_like.rooms.front import Draft, Rooms
from synapse_like.rooms.points import StateMap
from synapse_like.rooms.sql import state as state_sql
from synapse_like.rooms.uncounted import Uncounted
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.config import Config
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.feature import Kit
from synapse_like.toolkit.http.outgoing import OutgoingConfig, build_network
from synapse_like.toolkit.randomness import Randomness
from synapse_like.toolkit.ratelimit import RateLimiter
from workers.spine import Spine, build_spine

ALICE, BOB = "@alice:here", "@bob:there"
_THEIR_KEY = SigningKey.from_seed("b", b"b" * 32)


def build(database: Database) -> Spine:
    """A spine that is not started yet."""
    clock = Clock(reactor)
    network = build_network(reactor, clock, OutgoingConfig())
    kit = Kit(Config({}, ()), clock, Randomness(), database, RateLimiter(clock), "here", network)
    spine = build_spine(kit, SigningKey.from_seed("a", b"a" * 32), Uncounted())
    spine.store_events([])
    return spine


async def started(database: Database) -> Spine:
    """A started spine."""
    spine = build(database)
    await spine.start([])
    return spine


async def caught_up(spine: Spine) -> None:
    """Wait until the reader stands where the logs end."""
    committed = await spine.kit.database.read(all_positions)
    positions = spine.rooms.reader.positions
    while any(not positions[family].reaches(ends) for family, ends in committed.items()):
        await spine.kit.clock.sleep(0)


async def found_room(rooms: Rooms, version: str = "12", *, users: dict[str, int] | None = None) -> str:
    """A public room of Alice's."""
    content: dict[str, Any] = {"room_version": version}
    if not room_version(version).implicit_creator:
        content["creator"] = ALICE
    levels: dict[str, Any] = {"users": users or {}, "state_default": 50}
    if version != "12":
        levels["users"] = {ALICE: 100, **levels["users"]}
    return await rooms.creation.found_room(
        room_version(version),
        None if version == "12" else f"!room{version}:here",
        state(ALICE, "m.room.create", content),
        [
            state(ALICE, "m.room.member", {"membership": "join"}, ALICE),
            state(ALICE, "m.room.power_levels", levels),
            state(ALICE, "m.room.join_rules", {"join_rule": "public"}),
        ],
    )


def state(sender: str, kind: str, content: dict[str, Any], state_key: str = "") -> Draft:
    """A draft of a state event."""
    return Draft(type=kind, sender=sender, content=content, state_key=state_key)


def message(sender: str, text: str) -> Draft:
    """A draft of a message."""
    return Draft(type="m.room.message", sender=sender, content={"msgtype": "m.text", "body": text})


async def remote_event(rooms: Rooms, room_id: str, draft: Draft, prev: list[Event], auth: list[Event]) -> Event:
    """An event of another server's, on the predecessors and auth events given."""
    room = await rooms.live.get(room_id)
    pdu: dict[str, Any] = {
        "type": draft.type,
        "sender": draft.sender,
        "room_id": room_id,
        "content": dict(draft.content),
        "origin_server_ts": 1_700_000_000_000,
        "depth": max(event.depth for event in prev) + 1,
        "prev_events": [event.reference for event in prev],
        "auth_events": [event.reference for event in auth],
    }
    if draft.state_key is not None:
        pdu["state_key"] = draft.state_key
    if room.identity.version.has_chosen_event_ids:
        pdu["event_id"] = f"${len(str(pdu))}{abs(hash(str(pdu)))}:there"
    return build_event(pdu, room_version=room.identity.version, signing_key=_THEIR_KEY, server_name="there")


def state_map(transaction: Transaction, room_nid: int, ref: StateRef) -> StateMap:
    """The whole state at a version of the trunk or of a branch, put together row by row."""
    rows: list[Any] = []
    base = ref.version
    if ref.branch != TRUNK:
        base, rows = state_sql.branch_at(transaction, ref.branch, ref.version)
    state = {}
    for kind, state_key, _, _, event_id in (*state_sql.trunk_at(transaction, room_nid, base), *rows):
        state[kind, state_key] = event_id
    return {key: event_id for key, event_id in state.items() if event_id is not None}
