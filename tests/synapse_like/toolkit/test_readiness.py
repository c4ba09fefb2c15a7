"""Readiness: reasons, deadlines, and at most one question a second."""

from twisted.internet.defer import Deferred

from synapse_like.toolkit.readiness import CHECK_SECONDS, Readiness
from tests.kit.clock import FakeClock


class Doubtful:
    """A check that says what it is told to say."""

    def __init__(self, answer=None):
        self.answer = answer
        self.asked = 0

    async def check(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return await self.answer if isinstance(self.answer, Deferred) else self.answer


def _readiness(**checks):
    clock = FakeClock()
    readiness = Readiness(clock)
    for name, check in checks.items():
        readiness.add(name, check.check)
    return clock, readiness


async def test_a_process_is_ready_between_its_start_and_its_end():
    _, readiness = _readiness(soup=Doubtful())
    assert (await readiness.state()).reasons == {"phase": "starting", "soup": None}
    readiness.settle()
    assert (await readiness.state()).is_ready
    readiness.drain()
    state = await readiness.state()
    assert not state.is_ready
    assert state.reasons["phase"] == "draining"


async def test_one_check_that_objects_is_enough():
    _, readiness = _readiness(soup=Doubtful(), bread=Doubtful("none left"), wine=Doubtful(ValueError("secret")))
    readiness.settle()
    state = await readiness.state()
    assert not state.is_ready
    assert state.reasons == {"phase": None, "soup": None, "bread": "none left", "wine": "cannot be checked"}


async def test_checks_are_asked_at_most_once_a_second():
    soup = Doubtful()
    clock, readiness = _readiness(soup=soup)
    for _ in range(5):
        await readiness.state()
    assert soup.asked == 1
    soup.answer = "cold"
    clock.advance(1)
    assert (await readiness.state()).reasons["soup"] == "cold"
    assert soup.asked == 2


async def test_a_check_that_never_answers_is_a_no():
    soup = Doubtful(Deferred())
    clock, readiness = _readiness(soup=soup)
    readiness.settle()
    first = Deferred.fromCoroutine(readiness.state())
    assert not first.called
    meanwhile = await readiness.state()
    assert not meanwhile.is_ready, "nobody knows yet"
    clock.advance(CHECK_SECONDS)
    state = await first
    assert state.reasons["soup"] == "no answer within 3 seconds"
    assert soup.asked == 1
