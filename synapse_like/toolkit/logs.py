"""Logs: standard ``logging``, as text or as JSON, with the id of the request at work and without secrets.

Who logs uses ``logging.getLogger(__name__)``; only the process's start calls :func:`set_up_logs`. A call to another
process carries :func:`current_request_id`, and is carried out there within :func:`request_at_work`, so that the lines
of a request have one id wherever they are written.
"""

import json
import logging
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, TextIO

from twisted.logger import STDLibLogObserver, globalLogBeginner

_request_id: ContextVar[str] = ContextVar("request_id", default="-")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_STANDARD |= {"request_id", "request", "kind", "instance"}
_SECRETS = re.compile(
    r"(?i)((?:access_token|refresh_token|login_?token|password|secret)[\"']?\s*[=:]\s*[\"']?|\bbearer\s+)([^\s&\"',;}]+)"
)
_SECRET_WORDS = ("token", "password", "secret", "bearer")
"""One of them is in everything that `_SECRETS` matches; looking for them first is ten times cheaper."""
_process = ("main", "main")
_NOISY = ("twisted", "asyncio", "sentry_sdk", "urllib3")
GATHER_S: Final = 0.1
"""How long a line may wait for others before they are written together."""
MOST_LINES: Final = 10_000
"""So many lines wait at most; whoever brings more waits until they are written."""


@contextmanager
def request_at_work(request_id: str) -> Iterator[None]:
    """Name the request that everything logged inside belongs to; coroutines started inside keep it."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def current_request_id() -> str:
    """Return the id of the request at work, or ``-``."""
    return _request_id.get()


def name_process(kind: str, name: str) -> None:
    """Say what this process is and what it is called: JSON lines tell it from now on, text lines unless it is main."""
    global _process
    _process = (kind, name)


def current_process() -> tuple[str, str]:
    """Return the kind and the name of this process."""
    return _process


def without_secrets(text: str) -> str:
    """Return the text with the values of tokens and passwords blotted out."""
    lowered = text.lower()
    if not any(word in lowered for word in _SECRET_WORDS):
        return text
    return _SECRETS.sub(r"\1(hidden)", text)


class TextFormatter(logging.Formatter):
    """``2026-11-23 18:00:00.123 INFO    sync-1 GET-42 synapse_like.rooms: Created !abc``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the traceback below it if there is one."""
        head = text_line(record.created, record.levelname, request_of(record), record.name, record.getMessage())
        trace = list(_traceback(self, record))
        return without_secrets("\n".join([head, *trace])) if trace else head


def text_line(created_s: float, level: str, request_id: str, logger: str, message: str) -> str:
    """Return a line of text, without secrets. `created_s` is in seconds since the epoch."""
    seconds, part = divmod(created_s, 1)
    when = f"{_second(int(seconds))}.{int(part * 1000):03}"
    name = "" if _process[1] == "main" else f"{_process[1]} "
    return without_secrets(f"{when} {level:<7} {name}{request_id} {logger}: {_one_line(message)}")


class JsonFormatter(logging.Formatter):
    """One JSON object per line: when, who, request_id, message, whatever came as ``extra``, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "kind": _process[0],
            "instance": _process[1],
            "request_id": request_of(record),
            "message": without_secrets(record.getMessage()),
        }
        fields |= {key: _plain(value) for key, value in record.__dict__.items() if key not in _STANDARD}
        if trace := "\n".join(_traceback(self, record)):
            fields["exception"] = without_secrets(trace)
        return json.dumps(fields)


class Output(logging.Handler):
    """Writes lines, several at a time: one by one each costs a system call, for which the thread lets others run.

    What is worse than INFO is written at once, with all before it; the rest waits for `GATHER_S` at most.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        threading.Thread(target=self._work, name="logs", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self.put(self.format(record))
        if record.levelno > logging.INFO:
            self.flush()

    def put(self, line: str) -> None:
        """Take a line that is ready; from any thread. To wake the one that writes would cost more than the line."""
        self._lines.append(line)
        if len(self._lines) > MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what waits. What cannot be written, as the stream was closed or the disk is full, is lost."""
        self.acquire()
        try:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            with suppress(OSError, ValueError):
                self._stream.write("".join(f"{line}\n" for line in lines))
                self._stream.flush()
        finally:
            self.release()

    def _work(self) -> None:
        while True:
            time.sleep(GATHER_S)
            if self._lines:
                self.flush()


def text_output(logger: logging.Logger) -> Output | None:
    """Return what takes a logger's lines as they are, if nobody else would get to see its records."""
    handlers = logging.root.handlers
    if (
        len(handlers) != 1
        or not isinstance(handlers[0], Output)
        or not isinstance(handlers[0].formatter, TextFormatter)
    ):
        return None
    return None if logger.handlers or logger.filters or not logger.propagate else handlers[0]


def set_up_logs(level: str, form: Literal["text", "json"]) -> None:
    """Send the logs of this process to standard error."""
    output = Output(sys.stderr)
    output.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[output], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def hear_twisted() -> None:
    """Let Twisted's own messages go the same way; once in a process."""
    observer: Any = STDLibLogObserver("twisted")
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """The date and time of a second: many lines share one."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def request_of(record: logging.LogRecord) -> str:
    """Return the id of the request that a record belongs to, or ``-``."""
    return str(getattr(record, "request_id", None) or _request_id.get())


def _one_line(text: str) -> str:
    """Return the text so that nobody can write a second line into the log."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> Iterator[str]:
    if record.exc_info:
        yield formatter.formatException(record.exc_info)
    if record.stack_info:
        yield record.stack_info


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | bool) or value is None else without_secrets(str(value))
