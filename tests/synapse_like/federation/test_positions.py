"""Positions in the logs: what they cover, and their text."""

from hypothesis import given
from hypothesis import strategies as st

from replication.numbers import pack
from replication.positions import Vector
from synapse_like.federation.outbound.positions import Positions

counters = st.lists(st.integers(0, 2**40), min_size=32, max_size=32).map(Vector)
positions = st.builds(Positions, counters, counters)
places = st.lists(st.tuples(st.sampled_from(["room", "user"]), st.builds(pack, st.integers(0, 31), st.integers(1, 99))))


@given(positions)
def test_the_text_says_it_all(position: Positions) -> None:
    assert Positions.decode(position.encode()) == position


@given(positions, places)
def test_before_covers_none_of_the_places_and_no_less_than_needed(position: Positions, some: list) -> None:
    earlier = position.before(some)
    assert position.reaches(earlier)
    assert not any(earlier.covers(place) for place in some)
    for family, number in some:
        if position.covers((family, number)):
            others = [counter for f, counter in some if f == family and counter >> 44 == number >> 44]
            assert earlier.covers((family, min(others) - 1))


@given(positions, positions)
def test_both_have_reached_what_is_common(one: Positions, other: Positions) -> None:
    common = one.common(other)
    assert one.reaches(common) and other.reaches(common)
    assert common in (one, other) or not (one.reaches(other) or other.reaches(one))
