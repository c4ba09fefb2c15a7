"""How far a reader is behind: counted from the oldest position that it has not reached."""

from typing import Any, cast

from replication.bus import MemoryBus
from replication.lag import Lag
from replication.positions import Vector
from replication.reader import Reader
from replication.streams import Family
from tests.kit.clock import FakeClock


def _lag() -> tuple[FakeClock, Reader, Lag]:
    clock = FakeClock()
    reader = Reader(cast(Any, None), MemoryBus(clock), [Family("a", 2), Family("b", 2)])
    return clock, reader, Lag(reader, clock)


def test_a_reader_that_is_there_does_not_lag():
    clock, reader, lag = _lag()
    reader.positions["a"] = Vector((3, 4))
    lag.note({"a": [3, 4], "b": [0, 0]})
    clock.advance(10)
    assert (lag.rows("a"), lag.seconds("a"), lag.worst_seconds()) == (0, 0, 0)


def test_the_lag_is_as_old_as_the_oldest_position_that_was_not_reached():
    clock, reader, lag = _lag()
    lag.note({"a": [2, 0], "b": [0, 0]})
    clock.advance(5)
    lag.note({"a": [2, 5], "b": [0, 1]})
    clock.advance(1)
    assert (lag.rows("a"), lag.seconds("a")) == (7, 6)
    assert (lag.rows("b"), lag.seconds("b")) == (1, 1)
    assert lag.worst_seconds() == 6
    reader.positions["a"] = Vector((2, 1))
    assert (lag.rows("a"), lag.seconds("a")) == (4, 1)
    reader.positions["a"] = Vector((2, 5))
    assert (lag.rows("a"), lag.seconds("a")) == (0, 0)


def test_one_shard_that_is_ahead_makes_up_for_no_other():
    _, reader, lag = _lag()
    reader.positions["a"] = Vector((9, 0))
    lag.note({"a": [2, 3], "unknown": [1]})
    assert lag.rows("a") == 3
