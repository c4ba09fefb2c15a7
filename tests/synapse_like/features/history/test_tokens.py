"""Tokens: any text is either a point of the timeline or refused."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from replication.bus import MemoryBus
from replication.positions import Vector
from replication.reader import Reader
from synapse_like.features.history import TimelineTokens, seen_in
from synapse_like.matrix.errors import InvalidParam
from synapse_like.rooms.families import ROOM, USER
from synapse_like.rooms.places import Place
from synapse_like.sync.tokens import SyncToken
from tests.kit.clock import FakeClock

_INT64 = range(-(2**63), 2**63)
counters = st.integers(0, 2**63)
texts = (
    st.text()
    | st.builds("p{}_{}".format, st.integers(-1, 10**17), st.integers(-(10**20), 10**20))
    | st.text("AQab-_09", max_size=60).map("s1_{}".format)
    | st.builds(lambda rooms: _token(rooms).encode(), st.lists(counters, min_size=32, max_size=32))
)


def _token(rooms: list[int], incarnation: int = 0) -> SyncToken:
    return SyncToken(incarnation, 0, 0, Vector(rooms), Vector.zero(USER.shards))


def tokens() -> TimelineTokens:
    return TimelineTokens(Reader(cast(Any, None), MemoryBus(FakeClock()), (ROOM, USER)))


@given(texts, st.integers(0, 31))
def test_any_text_is_refused_or_names_a_number_that_a_database_holds(text: str, shard: int) -> None:
    try:
        token = tokens().read("from", text)
    except InvalidParam:
        return
    assert token is not None
    assert seen_in(token, shard) in _INT64
    assert not isinstance(token, Place) or (token.depth in _INT64 and token.number in _INT64)


@given(st.builds(Place, st.integers(0, 10**16 - 1), st.integers(-(2**63) + 1, 2**63 - 1)))
def test_places_are_read_as_they_are_written(place: Place) -> None:
    assert tokens().read("from", place.encode()) == place


@given(st.lists(st.integers(0, 2**40), min_size=32, max_size=32))
def test_tokens_of_sync_are_read_unless_the_database_is_another(rooms: list[int]) -> None:
    assert tokens().read("from", _token(rooms).encode()) == _token(rooms)
    try:
        tokens().read("from", _token(rooms, incarnation=7).encode())
    except InvalidParam:
        return
    raise AssertionError("a token of another database was taken")
