"""Whether this process should get requests: a list of checks, each with its reason when it says no.

A check that needs to wait (for the database) is asked at most once a second, and given a deadline, so that probes cost
nothing and cannot be abused. Liveness needs no checks: whoever answers at all is alive.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import CancelledError, Deferred

from synapse_like.toolkit.clock import Clock

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 3.0
"""How long a check may take before it counts as a no."""
REMEMBERED_MS: Final = 1000

Reason = str | None
"""Why not, in words that anybody may read; None for "ready"."""
Check = Callable[[], Awaitable[Reason]]


@dataclass(frozen=True, slots=True)
class State:
    """The answer of all checks: the reason of each, by name."""

    reasons: dict[str, Reason]

    @property
    def is_ready(self) -> bool:
        """Whether no check objects."""
        return not any(self.reasons.values())


class Readiness:
    """The checks of one process. Until `settle` is called it is not ready: it is still starting."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checks: dict[str, Check] = {}
        self._phase: Reason = "starting"
        self._reasons: dict[str, Reason] = {"checks": "have not been asked yet"}
        self._asked_ms: int | None = None
        self._is_asking = False

    def add(self, name: str, check: Check) -> None:
        """Ask one more."""
        self._checks[name] = check

    def settle(self) -> None:
        """The process has started."""
        self._phase = None

    def drain(self) -> None:
        """The process is about to go: it answers whom it has, and wants nobody else."""
        self._phase = "draining"

    async def state(self) -> State:
        """What the checks say, or said a second ago; while they are being asked, what they said before."""
        now_ms = self._clock.monotonic_ms()
        is_old = self._asked_ms is None or now_ms - self._asked_ms >= REMEMBERED_MS
        if is_old and not self._is_asking:
            self._is_asking = True
            try:
                self._reasons = {name: await self._answer(name, check) for name, check in self._checks.items()}
            finally:
                self._is_asking = False
                self._asked_ms = self._clock.monotonic_ms()
        return State({"phase": self._phase, **self._reasons})

    async def _answer(self, name: str, check: Check) -> Reason:
        asked: Deferred[Reason] = Deferred.fromCoroutine(_awaited(check))
        timer = self._clock.call_later(CHECK_SECONDS, asked.cancel)
        try:
            return await asked
        except CancelledError:
            return f"no answer within {CHECK_SECONDS:g} seconds"
        except Exception as error:
            logger.warning("The check %s failed: %s", name, error)
            return "cannot be checked"
        finally:
            timer.cancel()


async def _awaited(check: Check) -> Reason:
    return await check()
