"""Records that are put aside on disk."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.toolkit.spool import Spool


@pytest.fixture
def spool() -> Iterator[Spool]:
    spool = Spool()
    yield spool
    spool.close()


@given(records=st.lists(st.binary(max_size=50) | st.integers(0, 600_000).map(bytes), max_size=20))
def test_what_was_written_is_read(records: list[bytes]) -> None:
    spool = Spool()
    places = [spool.append(record) for record in records]
    assert [spool.at(place) for place in places] == records
    assert list(spool) == list(zip(places, records, strict=True))
    spool.close()


def test_reading_in_the_middle_of_writing(spool: Spool) -> None:
    first = spool.append(b"one")
    assert spool.at(first) == b"one"
    reading = iter(spool)
    assert next(reading) == (first, b"one")
    second = spool.append(b"two")
    assert spool.at(second) == b"two"
    assert list(reading) == [(second, b"two")]
    assert len(spool) == 2 * (4 + 3)
