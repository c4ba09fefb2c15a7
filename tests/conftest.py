"""What every test may use: ``async def`` tests and fixtures on the Twisted reactor, and one folder per test run.

Fixtures for databases and servers are in ``tests/kit``.
"""

import inspect
import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.kit import reactor, run_folder

# Before any test module can import twisted.internet.reactor and so install another one.
reactor.private_loop()

# No property fails because a machine is busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ASYNC_TIMEOUT_SECONDS = 60.0


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that the servers of this run live in; the processes of pytest-xdist inherit it."""
    if not hasattr(config, "workerinput"):
        run_folder.create()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # being asked to end is being interrupted
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's `&` has it ignored, also by what we start


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers of this run and remove their folder."""
    if not hasattr(config, "workerinput"):
        run_folder.remove()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the reactor's threads end."""
    reactor.shut_down()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give pytest a plain function where the test is a coroutine, also below hypothesis' ``@given``."""
    timeout = _timeout_seconds(pyfuncitem)
    test = pyfuncitem.obj
    hypothesis = getattr(test, "hypothesis", None)
    if hypothesis is not None and inspect.iscoroutinefunction(hypothesis.inner_test):
        hypothesis.inner_test = reactor.synchronous(hypothesis.inner_test, timeout)
    elif inspect.iscoroutinefunction(test):
        pyfuncitem.obj = reactor.synchronous(test, timeout)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any) -> None:
    """Likewise for fixtures that are coroutines or asynchronous generators."""
    function = fixturedef.func
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        fixturedef.func = reactor.synchronous(function, ASYNC_TIMEOUT_SECONDS)


def _timeout_seconds(item: pytest.Function) -> float:
    """Return the limit of this test: its ``timeout`` mark, less a second so that the reactor can say what hung."""
    mark = item.get_closest_marker("timeout")
    if mark is None or not mark.args:
        return ASYNC_TIMEOUT_SECONDS
    return max(1.0, float(mark.args[0]) - 1)
