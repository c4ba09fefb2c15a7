"""Numbers of facts, vectors of positions, and their text in tokens."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replication.numbers import COUNTER_BITS, counter_of, pack, pack_backward, shard_of
from replication.positions import Vector, decode_integers, decode_vector, encode_integers, encode_vector

LARGEST = (1 << COUNTER_BITS) - 1
shards = st.integers(0, 4095)
counters = st.integers(0, LARGEST - 1)
vectors = st.lists(counters, min_size=1, max_size=70).map(Vector)


@given(shards, counters)
@example(4095, LARGEST)
@example(0, 0)
def test_a_number_holds_shard_and_counter(shard: int, counter: int) -> None:
    assert (shard_of(pack(shard, counter)), counter_of(pack(shard, counter))) == (shard, counter)
    assert 0 <= pack(shard, counter) < 2**63


@given(shards, st.integers(1, LARGEST))
def test_backward_numbers_are_negative(shard: int, counter: int) -> None:
    number = pack_backward(shard, counter)
    assert -(2**63) <= number < 0
    assert (shard_of(number), counter_of(number)) == (shard, -counter)


@given(shards, counters, counters)
def test_numbers_of_a_shard_are_ordered_like_their_counters(shard: int, one: int, two: int) -> None:
    assert (pack(shard, one) < pack(shard, two)) == (one < two)
    assert pack_backward(shard, one + 1) < pack(shard, two)
    assert (pack_backward(shard, one + 1) < pack_backward(shard, two + 1)) == (one > two)


@given(vectors, st.data())
def test_a_vector_covers_what_lies_at_or_before_it(vector: Vector, data: st.DataObject) -> None:
    shard = data.draw(st.integers(0, len(vector) - 1))
    counter = data.draw(counters)
    assert vector.covers(pack(shard, counter)) == (counter <= vector[shard])
    assert vector.covers(pack_backward(shard, max(1, counter)))
    assert vector.covers(vector.floor(shard))
    assert not vector.covers(vector.floor(shard) + 1)
    moved = vector.moved(shard, counter)
    assert moved[shard] == counter
    assert [*moved[:shard], *moved[shard + 1 :]] == [*vector[:shard], *vector[shard + 1 :]]


@given(st.lists(st.tuples(counters, counters), max_size=10))
def test_the_join_is_the_least_that_reaches_both(pairs: list[tuple[int, int]]) -> None:
    one, two = (Vector(side) for side in (zip(*pairs, strict=True) if pairs else ((), ())))
    joined = one.joined(two)
    assert joined.reaches(one) and joined.reaches(two)
    assert joined == two.joined(one)
    assert one.reaches(two) == (one.joined(two) == one)
    assert Vector.zero(len(pairs)).joined(one) == one


@given(vectors)
def test_a_vector_survives_its_text(vector: Vector) -> None:
    assert decode_vector(decode_integers(encode_integers(encode_vector(vector)))) == vector


@given(st.lists(st.integers(0, 2**63 - 1), max_size=80))
@example([2**63 - 1])
@example([])
def test_integers_survive_their_text(values: list[int]) -> None:
    text = encode_integers(values)
    assert decode_integers(text) == values
    assert text.isascii() and all(character.isalnum() or character in "-_" for character in text)


@given(st.text(max_size=40) | st.text("ABCxyz019-_=+/ \n", max_size=40))
@example("A!A")
@example("gAA")
@example("AA==")
@example("_" * 14)
@example("é")
def test_any_other_text_is_refused(text: str) -> None:
    """One text for one list: what is decoded is encoded in the same way, and fits into the database."""
    try:
        values = decode_integers(text)
    except ValueError:
        return
    assert encode_integers(values) == text
    assert all(0 <= value < 2**63 for value in values)


def test_refused_texts() -> None:
    for text in ("A!A", "gAA", "AA==", "_" * 14, "é", "gA", "A"):
        with pytest.raises(ValueError):
            decode_integers(text)


@given(st.lists(st.integers(0, 2**63 - 1), max_size=8))
def test_no_decoded_vector_has_a_counter_that_spills_into_the_shard(values: list[int]) -> None:
    try:
        vector = decode_vector(values)
    except ValueError:
        assert not values or values[0] + max(values[1:], default=0) > LARGEST
        return
    assert all(0 <= counter <= LARGEST for counter in vector)


@pytest.mark.parametrize("base", [0, 2**30, 2**43])
def test_a_token_of_64_shards_stays_below_400_characters(base: int) -> None:
    """Two families of 32 logs each: a quarter of a billion facts between the busiest and the quietest of a family."""
    dice = random.Random(base)
    families = [Vector(base + dice.randrange(2**28) for _ in range(32)) for _ in range(2)]
    text = encode_integers([2**40, *encode_vector(families[0]), *encode_vector(families[1])])
    assert len(text) < 400
