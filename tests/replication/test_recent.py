"""Recent facts against a model that never forgets."""

from hypothesis import given
from hypothesis import strategies as st

from replication.numbers import pack
from replication.recent import RecentFacts
from replication.streams import short
from tests.replication.notes import NOTES, Note

SHARDS = 3
# Each key lives in one shard, as keys do.
_steps = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 4), st.booleans()), min_size=1, max_size=60)


def _shard(key: str) -> int:
    return "abcdef".index(key) % SHARDS


class Model:
    """Everything that was ever taken, and how far each shard is."""

    def __init__(self, counters: list[int]) -> None:
        self.start = list(counters)
        self.counters = list(counters)
        self.notes: list[Note] = []

    def add(self, key: str, size: int) -> Note:
        shard = _shard(key)
        self.counters[shard] += 1
        self.notes.append(Note(number=pack(shard, self.counters[shard]), page=key, text="x" * size))
        return self.notes[-1]

    def since(self, key: str, after: int) -> list[Note]:
        return [note for note in self.notes if note.page == key and note.number > after]


@given(_steps, st.integers(0, 40), st.lists(st.integers(0, 5), min_size=SHARDS, max_size=SHARDS))
def test_an_answer_is_complete_or_none_and_memory_is_bounded(
    steps: list[tuple[str, int, bool]], limit: int, counters: list[int]
) -> None:
    recent: RecentFacts[Note] = RecentFacts(NOTES, limit, lambda note: len(note.text))
    model = Model(counters)
    recent.start(counters)
    batch: list[Note] = []
    for key, size, is_end_of_batch in steps:
        batch.append(model.add(key, size))
        if is_end_of_batch:
            recent.take(batch)
            batch = []
    recent.take(batch)
    remembered = _remembered(recent, model)
    assert sum(len(note.text) for note in remembered) <= limit
    _check_oldest_go_first(model, remembered)


def _remembered(recent: RecentFacts[Note], model: Model) -> list[Note]:
    """What memory answers with, having compared every possible question with the model."""
    found: dict[int, Note] = {}
    for key in "abcdef":
        shard = _shard(key)
        for counter in range(model.counters[shard] + 1):
            answer = recent.since(key, pack(shard, counter))
            if answer is None:
                assert counter < model.counters[shard], "the newest position is always known"
                continue
            assert list(answer) == model.since(key, pack(shard, counter))
            found |= {note.number: note for note in answer}
        newest = model.since(key, 0)
        assert recent.last(key) in ((newest[-1] if newest else None), None)
    return list(found.values())


def _check_oldest_go_first(model: Model, remembered: list[Note]) -> None:
    numbers = {note.number for note in remembered}
    kept = [note.number in numbers for note in model.notes]
    assert kept == sorted(kept)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_nothing_is_forgotten_below_the_limit(sizes: list[int]) -> None:
    recent: RecentFacts[Note] = RecentFacts(NOTES, sum(sizes), lambda note: len(note.text))
    model = Model([0] * SHARDS)
    recent.start([0] * SHARDS)
    recent.take([model.add("a", size) for size in sizes])
    assert list(recent.since("a", 0) or ()) == model.notes
    assert recent.last("a") is model.notes[-1]


def test_a_question_from_before_the_start_goes_to_the_database() -> None:
    recent: RecentFacts[Note] = RecentFacts(NOTES, 10_000, short)
    recent.start([7, 0])
    assert recent.since("a", pack(0, 6)) is None
    assert recent.since("a", pack(0, 7)) == ()
    recent.take([Note(number=pack(0, 8), page="a", text="")])
    recent.start([8, 0])
    assert recent.since("a", pack(0, 7)) is None
    assert recent.last("a") is None
