"""What is written down about every request: one line in the log ``access``, and figures for the metrics."""

import logging
import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request

logger = logging.getLogger("access")

_TOKEN: Final = re.compile(r"([?&](?:access_token|loginToken)=)[^&]*")

_FORMAT: Final = '%s %s %s "%s %s" %d %dB %.1fms "%s"'

Record = Callable[[int, float], object]
"""Takes (status, seconds) of one reply."""


class Metrics(Protocol):
    """Counts replies and times them."""

    def of_endpoint(self, name: str) -> Record:
        """Return what records replies of one endpoint; asked once for each, so that labels are bound only once."""


class AccessLog:
    """Writes down each request of one listener when its reply is ready."""

    def __init__(self, metrics: Metrics | None = None, tag: str = "-") -> None:
        self._metrics = metrics
        self._tag = tag
        self._records: dict[str, Record] = {}

    def write(self, request: Request[Any], endpoint_name: str, reply: Reply, seconds: float) -> None:
        """Write down one request; ``endpoint_name`` is empty if none was found."""
        if self._metrics is not None:
            record = self._records.get(endpoint_name)
            if record is None:
                record = self._records[endpoint_name] = self._metrics.of_endpoint(endpoint_name)
            record(reply.status, seconds)
        if logger.isEnabledFor(logging.INFO):
            self._log(request, reply, seconds)

    def _log(self, request: Request[Any], reply: Reply, seconds: float) -> None:
        requester = request.optional_requester
        fields = (
            self._tag,
            request.client_ip or "-",
            requester.user_id if requester is not None else request.optional_origin or "-",
            request.method,
            redacted(f"{request.path}?{request.query_string}" if request.query_string else request.path),
            reply.status,
            len(reply.body),
            seconds * 1000,
            request.user_agent.replace('"', "'"),
        )
        extra = {"request_id": request.request_id}
        # The record is made by hand because `logger.info` would walk the stack to find out who calls.
        logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, _FORMAT, fields, None, extra=extra))


def redacted(target: str) -> str:
    """Return path and query without the tokens that old clients put there."""
    return _TOKEN.sub(r"\1<redacted>", target) if "oken=" in target else target
