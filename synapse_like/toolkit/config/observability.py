"""What administrators see of a running server: metrics, and error reports to Sentry."""

from collections.abc import Iterator
from dataclasses import dataclass

from synapse_like.toolkit.config.options import option


@dataclass(frozen=True)
class SentryConfig:
    """Where errors are reported to."""

    enabled: bool = option(True, "Report errors that are logged with a traceback, if there is a dsn.")
    dsn: str | None = option(None, "The address of the project, as Sentry shows it.")
    environment: str | None = option(None, "What this server is called there: production, staging, ...")
    sample_rate: float = option(1.0, "The share of errors that are reported, from 0 to 1.")


@dataclass(frozen=True)
class ObservabilityConfig:
    """What administrators see of a running server: metrics for Prometheus, and error reports."""

    enable_metrics: bool = option(
        False,
        "Serve /metrics (and /_synapse/metrics) at listeners of type metrics and those with the resource metrics.",
    )
    sentry: SentryConfig = option(
        SentryConfig(), "Error reports to Sentry: where in the code, in which request; never what users wrote."
    )

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        if self.sentry.dsn is not None and not self.sentry.dsn.startswith(("https://", "http://")):
            yield "sentry.dsn", "must be an address such as https://key@sentry.example.com/1"
        if not 0 <= self.sentry.sample_rate <= 1:
            yield "sentry.sample_rate", "must be between 0 and 1"
