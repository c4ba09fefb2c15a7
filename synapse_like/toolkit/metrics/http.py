"""What is counted about requests: by endpoint, never by path."""

from functools import partial
from typing import Final

from synapse_like.toolkit.metrics.declaring import counter, gauge, histogram
from synapse_like.toolkit.metrics.registry import Metrics
from synapse_like.toolkit.metrics.tallies import Distribution

_LABELS: Final = {"endpoint": "the endpoints in the code, `unmatched` and `preflight`", "method": "as declared, or -"}
_STATUSES: Final = ("2xx", "3xx", "4xx", "5xx", "429")
_PLACE_OF_429: Final = 4

REQUESTS: Final = counter(
    "http_requests", "Requests answered, by endpoint and class of status (429 apart).", {**_LABELS, "status": _STATUSES}
)
SECONDS: Final = histogram(
    "http_request_seconds",
    "From the whole request to its reply, with the waiting of long polls; at first use.",
    _LABELS,
)
IN_FLIGHT: Final = gauge("http_requests_in_flight", "Requests under way.", _LABELS)
RECEIVED: Final = counter("http_received_bytes", "Bytes of request bodies.", _LABELS)
SENT: Final = counter("http_sent_bytes", "Bytes of reply bodies, as sent (compressed or not).", _LABELS)
CONNECTIONS: Final = gauge("http_connections", "Clients that are connected, to all listeners.")

METRICS: Final = (REQUESTS, SECONDS, IN_FLIGHT, RECEIVED, SENT, CONNECTIONS)


class EndpointMetrics:
    """The series of one endpoint. Its distribution, which is long to write down, is born with its first request."""

    __slots__ = ("_bind_seconds", "_in_flight", "_received", "_seconds", "_sent", "_statuses")

    def __init__(self, metrics: Metrics, endpoint: str, method: str) -> None:
        self._in_flight = metrics.tally(IN_FLIGHT, endpoint=endpoint, method=method)
        self._statuses = [
            metrics.tally(REQUESTS, endpoint=endpoint, method=method, status=status) for status in _STATUSES
        ]
        self._bind_seconds = partial(metrics.distribution, SECONDS, endpoint=endpoint, method=method)
        self._seconds: Distribution | None = None
        self._received = metrics.tally(RECEIVED, endpoint=endpoint, method=method)
        self._sent = metrics.tally(SENT, endpoint=endpoint, method=method)

    def began(self) -> None:
        """A request is under way."""
        self._in_flight.value += 1

    def ended(self, status: int, seconds: float, received_bytes: int, sent_bytes: int) -> None:
        """It has been answered."""
        self._in_flight.value -= 1
        self._statuses[_PLACE_OF_429 if status == 429 else status // 100 - 2].value += 1
        if self._seconds is None:
            self._seconds = self._bind_seconds()
        self._seconds.observe(seconds)
        self._received.value += received_bytes
        self._sent.value += sent_bytes


class HttpMetrics:
    """Hands out the series, the same to every listener."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[tuple[str, str], EndpointMetrics] = {}

    def of_endpoint(self, name: str, method: str) -> EndpointMetrics:
        """The series of one endpoint, at 0 when first asked for."""
        found = self._known.get((name, method))
        if found is None:
            found = self._known[name, method] = EndpointMetrics(self._metrics, name, method)
        return found
