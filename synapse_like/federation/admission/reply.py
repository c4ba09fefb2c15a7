"""The answer to send_join: the room's state before the join and its auth chain, as they were signed.

A server that can do with less gets no memberships but those that it needs at once. Source: server-server API,
"Joining Rooms" (`omit_members`).
"""

from typing import Any

import orjson

from synapse_like.federation.admission.logic import Admitted
from synapse_like.federation.serving.logic import RoomRecords, texts
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.hosts import hosts_at
from synapse_like.rooms.live import MEMBER
from synapse_like.rooms.points import StateMap
from synapse_like.toolkit.db import Database, Transaction

_HEROES = 5
_NAMES = (("m.room.name", ""), ("m.room.canonical_alias", ""))


class JoinReplies:
    """Puts the answers together."""

    def __init__(self, rooms: Rooms, database: Database, records: RoomRecords) -> None:
        self._rooms = rooms
        self._database = database
        self._records = records

    async def of(self, admitted: Admitted, *, omits_members: bool) -> bytes:
        """The JSON of the answer."""
        return await self._database.read(lambda txn: self._read(txn, admitted, omits_members))

    def _read(self, transaction: Transaction, admitted: Admitted, omits_members: bool) -> bytes:
        whole = self._records.state_map(transaction, admitted.stored)
        state = _without_members(whole, admitted) if omits_members else whole
        state_ids = list(state.values())
        chain = self._records.chain(transaction, [*state_ids, *admitted.event.auth_references])
        if omits_members:
            chain = sorted(set(chain) - set(state_ids))
        head: dict[str, Any] = {"origin": self._rooms.identity.server_name, "members_omitted": omits_members}
        if omits_members:
            ref = admitted.stored.before
            head["servers_in_room"] = sorted(hosts_at(transaction, admitted.stored.room_nid, ref))
        parts = [orjson.dumps(head)[:-1], b',"event":', admitted.event.encoded]
        parts += [b',"state":[', ",".join(texts(transaction, state_ids)).encode()]
        parts += [b'],"auth_chain":[', ",".join(texts(transaction, chain)).encode(), b"]}"]
        return b"".join(parts)


def _without_members(state: StateMap, admitted: Admitted) -> StateMap:
    """The state without memberships, but for those of heroes if the room has no name."""
    kept = {key: event_id for key, event_id in state.items() if key[0] != MEMBER}
    if not any(key in state for key in _NAMES):
        joined = [m.user_id for m in admitted.room.members.values() if m.membership == "join"][:_HEROES]
        kept |= {(MEMBER, user_id): state[MEMBER, user_id] for user_id in joined if (MEMBER, user_id) in state}
    return kept
