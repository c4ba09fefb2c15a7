"""What machines ask of a process: its metrics, whether it lives, whether it should get requests."""

from typing import Any

from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.metrics import CONTENT_TYPE, Metrics
from synapse_like.toolkit.readiness import Readiness


class HealthApi:
    """Liveness and readiness, at every listener."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    @endpoint("GET", "/health/live", auth=Auth.NONE, resource="health", is_constant=True)
    async def live(self, request: Request[Any]) -> Reply:
        """Whether the reactor turns; nothing else is looked at, so that an outage elsewhere restarts nobody."""
        return Reply(200, {"is_alive": True})

    @endpoint("GET", "/health/ready", auth=Auth.NONE, resource="health", is_constant=True)
    async def ready(self, request: Request[Any]) -> Reply:
        """Whether this process should get requests: 503 and the reasons if not."""
        state = await self._readiness.state()
        checks = {name: reason or "ok" for name, reason in state.reasons.items()}
        return Reply(200 if state.is_ready else 503, {"is_ready": state.is_ready, "checks": checks})


class MetricsApi:
    """The metrics, at listeners with the resource `metrics` only."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @endpoint("GET", "/metrics", "/_synapse/metrics", auth=Auth.NONE, resource="metrics", is_constant=True)
    async def metrics(self, request: Request[Any]) -> Reply:
        """Everything that this process counts, in Prometheus's text format."""
        return Reply(200, await self._metrics.scrape(), content_type=CONTENT_TYPE)
