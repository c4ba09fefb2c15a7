"""Runs the server in the foreground: start, tell systemd, wait for a signal, stop within five seconds.

What the server is made of is ``workers.build``'s part; what to say on the terminal, ``quick_start``'s.
"""

import logging
import os
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning

from synapse_like import __version__
from synapse_like.toolkit.config import Config, Weight
from synapse_like.toolkit.config.observability import ObservabilityConfig
from synapse_like.toolkit.config.server import ServerConfig
from synapse_like.toolkit.db.errors import DatabaseUnavailable
from synapse_like.toolkit.http.listeners import CannotListen
from synapse_like.toolkit.log_config import apply_log_config
from synapse_like.toolkit.logs import hear_twisted, set_up_logs
from synapse_like.toolkit.memory import settle, share_one_arena
from workers.settings import load_settings

STOP_SECONDS = 4.0
GIVE_UP_AFTER_SECONDS = 0.8
_log = logging.getLogger(__name__)


class Server(Protocol):
    """A built server."""

    async def start(self) -> None:
        """Open the database, listen; returns when the server answers."""

    async def stop(self) -> None:
        """Stop listening, finish what is under way, close the database."""


Build = Callable[[Config, Any], Server]


def _say_nothing(_settings: Config) -> None:
    """The server of a unit file has no terminal."""


class Serving:
    """One run of a server from configuration to exit code."""

    def __init__(
        self,
        paths: Sequence[str],
        build: Build,
        announce: Callable[[Config], None] = _say_nothing,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._paths = paths
        self._build = build
        self._announce = announce
        self._stop_seconds = stop_seconds
        self._reactor: Any = default_reactor
        self._exit_code = 0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; 0 after a clean stop, 1 if the server did not start. Raises ConfigErrors."""
        settings = load_settings(self._paths)
        server = settings[ServerConfig]
        share_one_arena()
        _set_up_logs(server)
        _set_up_error_reports(settings)
        log_remarks(settings)
        _allow_many_files()
        self._reactor.callWhenRunning(self._start, settings)
        with _PidFile(server.pid_file):
            self._reactor.run()
        return self._exit_code

    def _start(self, settings: Config) -> None:
        starting = Deferred.fromCoroutine(self._started(settings))
        starting.addErrback(self._fail)

    async def _started(self, settings: Config) -> None:
        server = self._build(settings, self._reactor)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._stop, server)
        await server.start()
        settle()
        _log.info("synapse-like %s is ready as %s", __version__, settings[ServerConfig].server_name)
        notify("READY=1")
        self._announce(settings)

    def _fail(self, failure: Any) -> None:
        exc_info = (failure.type, failure.value, failure.getTracebackObject())
        if isinstance(failure.value, OSError | DatabaseUnavailable | CannotListen):
            _log.critical("The server did not start: %s", failure.value)
        else:
            _log.critical("The server did not start: %s", failure.value, exc_info=exc_info)
        self._exit_code = 1
        with suppress(ReactorNotRunning):  # it may be stopping already
            self._reactor.stop()

    def _stop(self, server: Server) -> "Deferred[None]":
        notify("STOPPING=1")
        _log.info("Stopping")
        emergency = threading.Timer(self._stop_seconds + GIVE_UP_AFTER_SECONDS, _give_up)
        emergency.daemon = True
        emergency.start()
        stopping = Deferred.fromCoroutine(server.stop())
        stopping.addTimeout(self._stop_seconds, self._reactor)
        stopping.addErrback(_log_failed_stop)
        return stopping


def _set_up_logs(server: ServerConfig) -> None:
    """Raises OSError for a `log_config` that cannot be used."""
    if server.log_config:
        apply_log_config(Path(server.log_config))
    else:
        set_up_logs(server.log_level, server.log_format)
    hear_twisted()


def _set_up_error_reports(settings: Config) -> None:
    """Report errors to Sentry if the configuration says so; its library is only loaded then."""
    sentry = settings[ObservabilityConfig].sentry
    if sentry.enabled and sentry.dsn:
        import_module("synapse_like.toolkit.error_reports").set_up_error_reports(sentry)


class _PidFile:
    """The process id in a file, for as long as the process runs."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None

    def __enter__(self) -> None:
        if self._path:
            self._path.write_text(f"{os.getpid()}\n")

    def __exit__(self, *_: object) -> None:
        if self._path:
            self._path.unlink(missing_ok=True)


def log_remarks(settings: Config) -> None:
    """Log what is worth saying about the configuration."""
    for remark in settings.remarks:
        _log.log(logging.WARNING if remark.weight is Weight.WARNING else logging.INFO, "%s", remark)


def notify(state: str) -> None:
    """Tell systemd, if it asked to be told (``$NOTIFY_SOCKET``)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            _log.warning("Cannot tell %s to NOTIFY_SOCKET: %s", state, error)


def _allow_many_files() -> None:
    """Each connection is an open file: take as many as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError) as error:
        _log.warning("Cannot raise the limit of open files to %s: %s", most, error)


def _log_failed_stop(failure: Any) -> None:
    _log.error("Stopping did not end well: %s", failure.value or failure.type.__name__)


def _give_up() -> None:
    _log.error("Stopping took too long; whatever was acknowledged is stored")
    os._exit(1)
