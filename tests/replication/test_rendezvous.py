"""Who should own what: everybody comes to the same answer, and a change moves only its share."""

from hypothesis import given
from hypothesis import strategies as st

from replication.registry import Worker
from replication.rendezvous import wanted
from replication.streams import Family

FAMILY = Family("page", shards=64)
CLAIMS = {"page": ("writer", "main")}


def worker(name: str, kind: str = "writer", *, is_draining: bool = False) -> Worker:
    return Worker(name=name, kind=kind, address="", version="", started_ms=1, is_draining=is_draining)


NAMES = st.lists(st.text("abcdefgh0123", min_size=1, max_size=4), min_size=2, max_size=8, unique=True)


@given(NAMES, st.randoms())
def test_the_order_of_processes_does_not_matter(names: list[str], chance: object) -> None:
    workers = [worker(name) for name in names]
    shuffled = sorted(workers, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert wanted([FAMILY], workers, CLAIMS) == wanted([FAMILY], shuffled, CLAIMS)


@given(NAMES)
def test_who_leaves_moves_only_its_own(names: list[str]) -> None:
    before = wanted([FAMILY], [worker(name) for name in names], CLAIMS)
    after = wanted([FAMILY], [worker(name) for name in names[1:]], CLAIMS)
    moved = {key for key in before if before[key] != after[key]}
    assert moved == {key for key in before if before[key] == names[0]}


def test_shards_are_spread() -> None:
    plan = wanted([FAMILY], [worker(f"writer-{n}") for n in range(4)], CLAIMS)
    shares = [list(plan.values()).count(f"writer-{n}") for n in range(4)]
    assert sum(shares) == 64 and min(shares) >= 6


def test_main_takes_what_nobody_else_can_and_anybody_takes_what_main_cannot() -> None:
    main, sync, writer = worker("m", "main"), worker("s", "sync"), worker("w")
    assert set(wanted([FAMILY], [main, sync, writer], CLAIMS).values()) == {"w"}
    assert set(wanted([FAMILY], [main, sync], CLAIMS).values()) == {"m"}
    assert set(wanted([FAMILY], [sync], CLAIMS).values()) == {"s"}
    assert wanted([FAMILY], [], CLAIMS) == {}


def test_who_leaves_gets_nothing_unless_nobody_else_is_there() -> None:
    leaving, main = worker("w", is_draining=True), worker("m", "main")
    assert set(wanted([FAMILY], [leaving, main], CLAIMS).values()) == {"m"}
    assert set(wanted([FAMILY], [leaving], CLAIMS).values()) == {"w"}
