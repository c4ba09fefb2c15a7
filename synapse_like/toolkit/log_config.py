"""The file of `log_config`: Python's logging.config.dictConfig in YAML, as administrators have it from before.

Formats may use %(request)s, %(instance)s and %(kind)s. What such files name of Synapse's is replaced by ours. Whatever
the file says, values of tokens and passwords are blotted out.
"""

import logging
import logging.handlers
from logging.config import DictConfigurator
from pathlib import Path
from typing import Any, Final

import yaml

from synapse_like.toolkit.logs import JsonFormatter, TextFormatter, current_process, request_of, without_secrets

_CONTEXT: Final = ("synapse.logging.context.LoggingContextFilter", "synapse.util.logcontext.LoggingContextFilter")
_JSON: Final = ("synapse.logging.JsonFormatter", "synapse.logging.TerseJsonFormatter")
_BUFFERED: Final = ("synapse.logging.handlers.PeriodicallyFlushingHandler",)


def apply_log_config(path: Path) -> None:
    """Set the logs up as the file says. Raises OSError, which names the file, if it cannot be used."""
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it must be a mapping with version: 1")
        config.setdefault("disable_existing_loggers", False)
        _Configurator(config).configure()
    except (ValueError, TypeError, AttributeError, ImportError, KeyError, yaml.YAMLError) as error:
        reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise OSError(f"log_config: cannot use {path}: {reason}") from error


class _Configurator(DictConfigurator):
    """dictConfig, with our names for Synapse's, and blotting formatters everywhere."""

    def resolve(self, s: str) -> Any:
        """Find what a dotted name stands for."""
        if s in _CONTEXT:
            return Everything
        return AtOnce if s in _BUFFERED else super().resolve(s)

    def configure_formatter(self, config: Any) -> Any:
        """Make a formatter, and blot out what it lets through."""
        is_json = config.get("class") in _JSON or config.get("()") in _JSON
        return Blotting(JsonFormatter() if is_json else super().configure_formatter(config))

    def configure_handler(self, config: dict[str, Any]) -> logging.Handler:
        """Make what writes; without a format it writes our lines."""
        made = super().configure_handler(config)
        if made.formatter is None:
            made.setFormatter(TextFormatter())
        return made


class Blotting(logging.Formatter):
    """Another formatter's lines, without secrets; it can name the request and the process."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        record.request = request_of(record)
        record.kind, record.instance = current_process()
        return without_secrets(self._inner.format(record))


class Everything:
    """Stands where a filter used to fill in the request; lets everything pass."""

    def __init__(self, **_: Any) -> None:
        pass

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True."""
        return True


class AtOnce(logging.handlers.MemoryHandler):
    """Stands where lines used to be buffered for some seconds; passes them on at once, so that none gets lost."""

    def __init__(
        self,
        capacity: int = 1,
        flushLevel: int = logging.ERROR,  # noqa: N803 (as it is written in the file)
        target: logging.Handler | None = None,
        period: float = 0,
        flushOnClose: bool = True,  # noqa: N803
    ) -> None:
        super().__init__(1, flushLevel, target, flushOnClose)
