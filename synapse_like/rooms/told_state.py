"""The state before a join as it was told and stored: one small record a key, on disk, in the order in which it came."""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from synapse_like.rooms.changes import member_of, membership_change
from synapse_like.rooms.facts import TrunkChange
from synapse_like.rooms.live import MEMBER, LiveMember
from synapse_like.rooms.outliers import Stored
from synapse_like.rooms.points import StateKey
from synapse_like.toolkit.spool import Spool


class ToldKey(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a state event; the last five only of a membership."""

    type: str
    state_key: str
    key_nid: int
    event_id: str
    event_nid: int
    membership: str = ""
    sender: str = ""
    display_name: str | None = None
    avatar_url: str | None = None

    @property
    def key(self) -> StateKey:
        """Type and state key."""
        return self.type, self.state_key

    def change(self, *, version: int, is_local: bool) -> TrunkChange:
        """The change that brings it into force."""
        if self.type != MEMBER:
            return TrunkChange(*self.key, self.key_nid, self.event_id, self.event_nid, version=version)
        member = LiveMember(
            user_id=self.state_key,
            membership=self.membership,
            event_nid=self.event_nid,
            event_id=self.event_id,
            sender=self.sender,
            display_name=self.display_name,
            avatar_url=self.avatar_url,
        )
        change = membership_change(member, is_local=is_local)
        return msgspec.structs.replace(change, key_nid=self.key_nid, version=version)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(ToldKey)


class ToldState:
    """The state. `events` are those of the keys that were `wanted`."""

    def __init__(self, wanted: Collection[StateKey]) -> None:
        self.events: dict[StateKey, Stored] = {}
        self._wanted = wanted
        self._spool = Spool()
        self._keys: set[int] = set()

    def add(self, stored: Stored, key_nid: int) -> None:
        """One more key; of two events with the same one the first counts."""
        event, nid = stored.event, stored.event_nid
        if key_nid in self._keys:
            return
        self._keys.add(key_nid)
        if event.key in self._wanted:
            self.events[event.key] = stored
        kind, state_key = event.key
        told = ToldKey(kind, state_key, key_nid, event.event_id, nid)
        if kind == MEMBER:
            member = member_of(event, nid)
            told.membership, told.sender = member.membership, member.sender
            told.display_name, told.avatar_url = member.display_name, member.avatar_url
        self._spool.append(_ENCODER.encode(told))

    def __iter__(self) -> Iterator[ToldKey]:
        for _, data in self._spool:
            yield _DECODER.decode(data)

    def close(self) -> None:
        """Forget everything."""
        self._spool.close()
