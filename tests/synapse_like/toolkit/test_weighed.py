"""A cache that is bounded by weight: it never weighs more than it may, and lets go of what was not used for longest."""

from hypothesis import given
from hypothesis import strategies as st

from synapse_like.toolkit.weighed import WeighedCache

_STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 12), st.integers(1, 3)), max_size=40)


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache: WeighedCache[str, str] = WeighedCache(30, 1)
    for key in "abc":
        cache.keep(key, key.upper(), 10)
    assert cache.get("a") == "A"
    assert cache.peek("b") == "B"
    cache.keep("d", "D", 10)
    assert cache.get_all("abcd") == ({"a": "A", "c": "C", "d": "D"}, ["b"])
    cache.keep("e", "E", 15)
    assert cache.get_all("acde") == ({"d": "D", "e": "E"}, ["a", "c"])
    assert (cache.hits, cache.misses) == (5, 3)


def test_a_thing_that_changes_weighs_what_it_weighs_now() -> None:
    cache: WeighedCache[str, str] = WeighedCache(30, 1)
    for weight in (25, 5, 10):
        cache.keep("a", str(weight), weight, count=weight)
    assert (cache.peek("a"), len(cache), cache.limit) == ("10", 10, 30)
    cache.keep("b", "", 20)
    assert cache.get_all("ab")[1] == []
    cache.keep("a", "too large", 31)
    assert cache.get_all("ab") == ({}, ["a", "b"])
    assert (len(cache), cache.limit) == (0, 30)


@given(_STEPS)
def test_no_more_is_here_than_fits(steps: list[tuple[str, int, int]]) -> None:
    cache: WeighedCache[str, tuple[int, int]] = WeighedCache(20, 1)
    for key, weight, count in steps:
        if weight:
            cache.keep(key, (weight, count), weight, count)
        else:
            cache.forget(key)
        here, _ = cache.get_all("abcdef")
        assert sum(weight for weight, _ in here.values()) <= 20
        assert len(cache) == sum(count for _, count in here.values())
