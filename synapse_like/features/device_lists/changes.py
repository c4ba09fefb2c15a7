"""Whose keys a client has to ask for anew between two places, from one snapshot, with a fixed number of queries.

Changed: those who share a room with the user and whose keys have changed, and those who have come to share a room.
Left: those who share none any more. Of large rooms that are not encrypted, members are not told when somebody comes or
goes there: clients follow the keys of those whom they encrypt for. Source: client-server API, "Tracking the device list
for a user", "Extensions to /sync".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from replication.numbers import pack
from synapse_like.features.device_lists import sql
from synapse_like.rooms.memberships import UserRoom
from synapse_like.sync.sql import memberships_at
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.db import Transaction

FEW_MEMBERS: Final = 500


@dataclass(slots=True)
class Changes:
    """User ids."""

    changed: set[str]
    left: set[str]


def changes(
    transaction: Transaction,
    user_id: str,
    user_shard: int,
    rooms: Mapping[str, UserRoom],
    since: SyncToken,
    now: SyncToken,
) -> Changes:
    """What has changed between `since` and the snapshot, which is at `now`; `rooms` are the user's as of now."""
    changed = sql.changed_sharers(transaction, user_id, _spans(since, now))
    changed.update(sql.signed_since(transaction, user_id, since.user_floor(user_shard)))
    moved = [room for room in rooms.values() if room.number > since.room_floor(room.shard)]
    before = _memberships(transaction, user_id, moved, since)
    entered = [room for room in moved if room.membership == "join" and before.get(room.room_nid) != "join"]
    exited = [room for room in moved if room.membership != "join" and before.get(room.room_nid) == "join"]
    told = sql.small_or_encrypted(transaction, [room.room_nid for room in (*entered, *exited)], FEW_MEMBERS)
    changed |= sql.members(transaction, [room.room_nid for room in entered if room.room_nid in told])
    gone = sql.left_behind(transaction, _asked([room for room in exited if room.room_nid in told], since))
    stayed = [room for room in rooms.values() if room.membership == "join" and room not in entered]
    for member, membership, earlier in sql.members_changed(transaction, _asked(stayed, since)):
        if membership == "join" and earlier != "join":
            changed.add(member)
        elif membership != "join" and earlier == "join":
            gone.add(member)
    gone.discard(user_id)
    return Changes(changed, gone - sql.sharers(transaction, user_id, gone))


def _spans(since: SyncToken, now: SyncToken) -> list[tuple[int, int]]:
    """The parts of the logs of users between two places."""
    pairs = enumerate(zip(since.users, now.users, strict=True))
    return [(pack(shard, after), pack(shard, upto)) for shard, (after, upto) in pairs if upto > after]


def _asked(rooms: Sequence[UserRoom], since: SyncToken) -> list[tuple[int, int]]:
    return [(room.room_nid, since.room_floor(room.shard)) for room in rooms]


def _memberships(transaction: Transaction, user_id: str, rooms: Sequence[UserRoom], since: SyncToken) -> dict[int, str]:
    """What the user's membership in rooms was at a place."""
    texts = memberships_at(transaction, user_id, _asked(rooms, since)) if rooms else {}
    return {nid: orjson.loads(text)["content"].get("membership", "leave") for nid, text in texts.items()}
