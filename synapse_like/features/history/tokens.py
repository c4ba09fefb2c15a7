"""Tokens that name a point of a room's timeline: places (`p...`) and those of /sync (`s1_...`)."""

from replication.numbers import COUNTER_BITS, pack
from replication.reader import Reader
from synapse_like.matrix.errors import InvalidParam
from synapse_like.rooms.places import Place
from synapse_like.rooms.timeline import START, Bound
from synapse_like.sync.tokens import SyncToken

Token = Place | SyncToken

_MAX_NUMBER = 2**63
_MAX_COUNTER = 2**COUNTER_BITS - 1


class TimelineTokens:
    """Reads tokens of this server's."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, name: str, text: str | None) -> Token | None:
        """The token in a parameter, None if it is absent. Raises InvalidParam for any other text."""
        if text is None:
            return None
        place = Place.decode(text)
        if place is not None and abs(place.number) < _MAX_NUMBER:
            return place
        token = SyncToken.decode(text)
        if token is None or place is not None or not self._is_ours(token):
            raise InvalidParam(f"{name!r} is not a token of this server")
        return token

    def _is_ours(self, token: SyncToken) -> bool:
        positions = self._reader.positions
        widths = (len(positions["room"]), len(positions["user"]))
        return token.incarnation == self._reader.incarnation and (len(token.rooms), len(token.users)) == widths


def bound_of(token: Token | None, shard: int, default: Bound) -> Bound:
    """The end of a span in a room of that shard."""
    if token is None:
        return default
    return Bound(token) if isinstance(token, Place) else Bound(START, seen_in(token, shard))


def seen_in(token: Token, shard: int) -> int:
    """The last number of a room's log that lies before a token."""
    if isinstance(token, Place):
        return token.number - 1
    return pack(shard, min(token.rooms[shard], _MAX_COUNTER))
