"""One process: started, started again with growing pauses when it dies, and ended when it is told to."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol

from synapse_like.toolkit.clock import Clock, Wait
from workers.supervisor import tether

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 10.0
STABLE_MS: Final = 30_000
"""A process that ran for so long has recovered: its next pause is short again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a process is: its name, its command, how it is asked to stop, and as whom it runs."""

    name: str
    command: Sequence[str]
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Child(ProcessProtocol):
    """A process that is wanted. `pid` is None while it does not run; `starts` counts how often it was started."""

    def __init__(self, spec: Spec, reactor: Any, clock: Clock, logs: Path, on_change: Callable[[], object]) -> None:
        self.spec = spec
        self.starts = 0
        self.log = logs / f"{spec.name}.log"
        self._reactor = reactor
        self._clock = clock
        self._on_change = on_change
        self._transport: Any = None
        self._is_wanted = False
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._started_ms = 0
        self._waiting: Wait | None = None
        self._ended: list[Deferred[None]] = []

    @property
    def pid(self) -> int | None:
        """Its process id, if it runs."""
        return self._transport.pid if self._transport is not None else None

    def start(self) -> None:
        """Start it, and keep it running."""
        self._is_wanted = True
        self._launch()

    def let_go(self) -> None:
        """Do not start it again when it ends."""
        self._is_wanted = False
        if self._waiting is not None:
            self._waiting.cancel()

    def stop(self, seconds: float, number: signal.Signals | None = None) -> "Deferred[None]":
        """Ask it to end, and kill it after so many seconds; fires when it is gone."""
        self.let_go()
        ended: Deferred[None] = Deferred()
        if self._transport is None:
            ended.callback(None)
            return ended
        self._ended.append(ended)
        self._signal(number or self.spec.stop_signal)
        killing = self._clock.call_later(seconds, self._kill)
        return ended.addCallback(lambda _: killing.cancel())

    def processEnded(self, reason: Any) -> None:  # noqa: N802
        """Twisted says that it is over."""
        self._transport = None
        if self._is_wanted:
            self._plan_next(reason.value)
        for ended in self._ended:
            ended.callback(None)
        self._ended.clear()
        self._on_change()

    def _plan_next(self, how: Any) -> None:
        if self._clock.monotonic_ms() - self._started_ms > STABLE_MS:
            self._pause_seconds = FIRST_PAUSE_SECONDS
        words = f"signal {how.signal}" if how.signal is not None else f"exit code {how.exitCode}"
        logger.error("%s ended (%s); starting it again in %.2f s", self.spec.name, words, self._pause_seconds)
        self._waiting = self._clock.call_later(self._pause_seconds, self._launch)
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)

    def _launch(self) -> None:
        self.starts += 1
        self._started_ms = self._clock.monotonic_ms()
        on_death = str(int(self.spec.stop_signal))
        wrapper = [sys.executable, tether.__file__, str(os.getpid()), on_death, self.spec.user or "-"]
        environment = {**os.environ, **self.spec.environment}
        with self.log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            handles = {0: nothing.fileno(), 1: log.fileno(), 2: log.fileno()}
            command, folder = [*wrapper, *self.spec.command], str(self.log.parent)
            self._transport = self._reactor.spawnProcess(
                self, sys.executable, command, environment, folder, childFDs=handles
            )
        self._on_change()

    def _signal(self, number: signal.Signals) -> None:
        try:
            if self._transport is not None:
                self._transport.signalProcess(int(number))
        except ProcessExitedAlready:
            pass

    def _kill(self) -> None:
        logger.warning("%s did not end in time; killing it", self.spec.name)
        self._signal(signal.SIGKILL)
