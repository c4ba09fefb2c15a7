"""The cache of loaded values: what is forgotten stays forgotten, whatever was under way."""

from twisted.internet.defer import Deferred

from synapse_like.toolkit.cache import LoadingCache


class Source:
    """Loads values when the test says so."""

    def __init__(self) -> None:
        self.loads: list[tuple[str, Deferred[str | None]]] = []

    async def load(self, key: str) -> str | None:
        waiter: Deferred[str | None] = Deferred()
        self.loads.append((key, waiter))
        return await waiter

    def answer(self, value: str | None) -> None:
        self.loads.pop(0)[1].callback(value)


def ask(cache: LoadingCache[str, str], key: str) -> "Deferred[str | None]":
    return Deferred.fromCoroutine(cache.get(key))


async def test_a_value_is_loaded_once() -> None:
    source = Source()
    cache = LoadingCache(source.load, 10)
    first = ask(cache, "a")
    source.answer("A")
    assert await first == "A"
    assert await cache.get("a") == "A"
    assert not source.loads


async def test_not_found_is_never_kept() -> None:
    source = Source()
    cache = LoadingCache(source.load, 10)
    first = ask(cache, "a")
    source.answer(None)
    assert await first is None
    second = ask(cache, "a")
    source.answer("A")
    assert await second == "A"


async def test_what_was_read_before_it_was_forgotten_is_read_again() -> None:
    source = Source()
    cache = LoadingCache(source.load, 10)
    asked = ask(cache, "a")
    cache.forget("a")
    source.answer("old")
    assert not asked.called
    source.answer("new")
    assert await asked == "new"
    assert cache.peek("a") == "new"


async def test_a_group_is_forgotten_together_and_doubts_what_is_under_way() -> None:
    source = Source()
    cache = LoadingCache(source.load, 10, lambda value: value[0])
    for key, value in (("1", "x1"), ("2", "x2"), ("3", "y3")):
        asked = ask(cache, key)
        source.answer(value)
        await asked
    under_way = ask(cache, "4")
    cache.forget_group("x")
    assert [cache.peek(key) for key in "123"] == [None, None, "y3"]
    source.answer("x4, from before")
    source.answer("x4")
    assert await under_way == "x4"


async def test_the_one_that_was_not_asked_for_longest_goes() -> None:
    source = Source()
    cache = LoadingCache(source.load, 2, lambda value: "all")
    for key in ("a", "b", "a", "c"):
        asked = ask(cache, key)
        if source.loads:
            source.answer(key)
        await asked
    assert [cache.peek(key) for key in "abc"] == ["a", None, "c"]
    cache.forget_group("all")
    assert [cache.peek(key) for key in "abc"] == [None, None, None]
