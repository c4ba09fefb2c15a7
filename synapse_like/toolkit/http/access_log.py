"""What is written down about every request: one line in the log ``access``, and figures for the metrics."""

import logging
import re
import time
from collections.abc import Iterable
from typing import Any, Final, Protocol

from synapse_like.toolkit.http.endpoint import Endpoint
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.logs import text_line, text_output

logger = logging.getLogger("access")

_TOKEN: Final = re.compile(r"([?&](?:access_token|loginToken)=)[^&]*")


class EndpointMetrics(Protocol):
    """Counts the requests of one endpoint."""

    def began(self) -> None:
        """A request is under way."""

    def ended(self, status: int, seconds: float, received_bytes: int, sent_bytes: int) -> None:
        """It has been answered."""


class Metrics(Protocol):
    """Counts requests and times them."""

    def of_endpoint(self, name: str, method: str) -> EndpointMetrics:
        """Return what counts requests of one endpoint; asked once for each, so that labels are bound only once."""


class AccessLog:
    """Writes down each request of one listener when its reply is ready, and counts it."""

    def __init__(self, metrics: Metrics | None = None, tag: str = "-", endpoints: Iterable[Endpoint] = ()) -> None:
        """Take what counts, the listener's name, and the endpoints that are counted from 0 on."""
        self._metrics = metrics
        self._tag = tag
        self._known: dict[tuple[str, str], EndpointMetrics] = {}
        if metrics is not None:
            for endpoint in endpoints:
                self._counted(metrics, endpoint.name, endpoint.method)

    def begin(self, endpoint: Endpoint | None, method: str) -> EndpointMetrics | None:
        """Count a request that begins; what comes back is to be given to :meth:`end`."""
        if self._metrics is None:
            return None
        if endpoint is not None:
            counted = self._counted(self._metrics, endpoint.name, endpoint.method)
        elif method == "OPTIONS":
            counted = self._counted(self._metrics, "preflight", method)
        else:
            counted = self._counted(self._metrics, "unmatched", "-")
        counted.began()
        return counted

    def end(self, counted: EndpointMetrics | None, request: Request[Any], reply: Reply, seconds: float) -> None:
        """Write down a request that has been answered."""
        if counted is not None:
            counted.ended(reply.status, seconds, len(request.raw_body), len(reply.body))
        if logger.isEnabledFor(logging.INFO):
            self._log(request, reply, seconds)

    def _counted(self, metrics: Metrics, name: str, method: str) -> EndpointMetrics:
        found = self._known.get((name, method))
        if found is None:
            found = self._known[name, method] = metrics.of_endpoint(name, method)
        return found

    def _log(self, request: Request[Any], reply: Reply, seconds: float) -> None:
        requester = request.optional_requester
        who = requester.user_id if requester is not None else request.optional_origin or "-"
        target = redacted(f"{request.path}?{request.query_string}" if request.query_string else request.path)
        agent = request.user_agent.replace('"', "'")
        line = (
            f'{self._tag} {request.client_ip or "-"} {who} "{request.method} {target}" '
            f'{reply.status} {len(reply.body)}B {seconds * 1000:.1f}ms "{agent}"'
        )
        output = text_output(logger)
        if output is not None:  # a record would cost as much as the whole line
            output.put(text_line(time.time(), "INFO", request.request_id, logger.name, line))
            return
        # The record is made by hand because `logger.info` would walk the stack to find out who calls.
        extra = {"request_id": request.request_id}
        logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, "%s", (line,), None, extra=extra))


def redacted(target: str) -> str:
    """Return path and query without the tokens that old clients put there."""
    return _TOKEN.sub(r"\1<redacted>", target) if "oken=" in target else target
