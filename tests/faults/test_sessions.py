"""Once the end of a session was answered no process accepts its token, whatever connects the processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.parts import Parts
from tests.kit.client import PASSWORD, V3, Client
from tests.kit.cuttable import Line

CUT_OFF = "sync1"
WHO = f"{V3}/account/whoami"
LOGOUTS = 5


@pytest.mark.cuttable(CUT_OFF)
def test_tokens_are_dead_when_that_was_answered(parts: Parts) -> None:
    owner = parts.register("owner")
    _end_sessions(parts, owner, "all is well")
    if parts.redis is not None:
        parts.redis.kill9()
        _end_sessions(parts, owner, "no Redis")
        parts.redis.start()
    for how in (Line.cut, Line.fall_silent):
        with _cut(parts, how):
            _end_sessions(parts, owner, f"{CUT_OFF} cannot be called, {how.__name__}")
        parts.until(lambda: owner.at(parts.url_of(CUT_OFF)).request("GET", WHO)[0] == 200, "it has come back")
    assert _statuses(parts, owner) == dict.fromkeys(parts.running(), 200)


@contextmanager
def _cut(parts: Parts, how: Callable[[Line], None]) -> Iterator[None]:
    """No calls to one process, and no Redis for it."""
    lines = [lines[CUT_OFF] for lines in (parts.calls, parts.to_redis) if CUT_OFF in lines]
    for line in lines:
        how(line)
    yield
    for line in lines:
        line.mend()


def _end_sessions(parts: Parts, owner: Client, words: str) -> None:
    """Log out several times, and change the password; each process has had the tokens in memory before."""
    for number in range(LOGOUTS):
        session = parts.visitor.login("owner")
        before = _statuses(parts, session)
        assert 200 in before.values(), before
        assert session.request("POST", f"{V3}/logout", {})[0] == 200, words
        assert 200 not in (after := _statuses(parts, session)).values(), f"{words}: {number}: {after}"
    session = parts.visitor.login("owner")
    _statuses(parts, session)
    identifier = {"type": "m.id.user", "user": "owner"}
    auth = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD}
    owner.call("POST", f"{V3}/account/password", {"new_password": PASSWORD, "logout_devices": True, "auth": auth})
    assert 200 not in (after := _statuses(parts, session)).values(), f"{words}: password: {after}"


def _statuses(parts: Parts, session: Client) -> dict[str, int]:
    """What each process says to a token."""
    return {name: session.at(parts.url_of(name)).request("GET", WHO)[0] for name in parts.running()}
