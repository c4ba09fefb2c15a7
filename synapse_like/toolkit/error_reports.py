"""Error reports to Sentry: which exception, where in the code, in which request of which process.

What is sent is built from a short list of fields, so that nothing else can slip through: no local variables, no
arguments of log messages, no bodies or headers, no breadcrumbs, and no text of exceptions that may quote what users
wrote. The log of the process has all that; the request id finds it. Loaded only if an administrator has asked for it.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from synapse_like import __version__
from synapse_like.toolkit.config.observability import SentryConfig
from synapse_like.toolkit.logs import current_process, request_of

_KEPT: Final = ("event_id", "timestamp", "platform", "level", "logger", "release", "environment", "sdk")
_OF_FRAMES: Final = (
    *("filename", "abs_path", "module", "function", "lineno", "in_app"),
    *("pre_context", "context_line", "post_context"),
)
_TELLING: Final = frozenset(
    {"AttributeError", "ImportError", "IndexError", "MemoryError", "NameError", "RecursionError", "TypeError"}
    | {"ModuleNotFoundError", "UnboundLocalError", "ZeroDivisionError"}
)
"""Exceptions whose text speaks of the code alone."""
_HIDDEN: Final = "(in the log of the process)"


def set_up_error_reports(config: SentryConfig) -> None:
    """Report what is logged as an error with a traceback, from now on and from any thread."""
    sentry_sdk.init(
        dsn=config.dsn,
        environment=config.environment,
        sample_rate=config.sample_rate,
        release=f"synapse-like@{__version__}",
        before_send=_report,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            DedupeIntegration(),
            AtexitIntegration(callback=_say_nothing),
        ],
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_default_pii=False,
        auto_session_tracking=False,
        shutdown_timeout=1,
    )


def _report(event: Any, hint: Mapping[str, Any]) -> Any:
    """Return what is sent of an event; None for one without a traceback."""
    if hint.get("exc_info") is None:
        return None
    record: logging.LogRecord | None = hint.get("log_record")
    kind, name = current_process()
    report = {key: event[key] for key in _KEPT if event.get(key) is not None}
    report["server_name"] = name
    report["tags"] = {"kind": kind, "instance": name}
    if record is not None:
        report["tags"]["request_id"] = request_of(record)
        report["logentry"] = {"message": record.msg if isinstance(record.msg, str) else record.name}
    values = event.get("exception", {}).get("values", ())
    report["exception"] = {"values": [_exception(value) for value in values]}
    return report


def _exception(value: Mapping[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames", ())
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": value.get("value") if value.get("type") in _TELLING else _HIDDEN,
        "stacktrace": {"frames": [{key: frame.get(key) for key in _OF_FRAMES} for frame in frames]},
    }


def _say_nothing(pending: int, timeout: float) -> None:
    """What waits is sent for a second at the end; nobody needs to be told."""
