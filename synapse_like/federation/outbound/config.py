"""The keys of sending to other servers."""

from collections.abc import Iterator
from dataclasses import dataclass

from synapse_like.toolkit.config import Duration, option

_NOT_NEEDED = (
    "Known to Synapse's administrators; without effect: a request is not repeated within itself, and what waits for a "
    "server is tried again as the destination_ keys say."
)


@dataclass(frozen=True)
class FederationSettings:
    """How patient this server is with others."""

    client_timeout: Duration = option(Duration.of("60s"), "How long another server may take for a transaction.")
    max_short_retry_delay: Duration = option(Duration.of("2s"), _NOT_NEEDED)
    max_long_retry_delay: Duration = option(Duration.of("60s"), _NOT_NEEDED)
    max_short_retries: int = option(3, _NOT_NEEDED)
    max_long_retries: int = option(10, _NOT_NEEDED)
    destination_min_retry_interval: Duration = option(
        Duration.of("10m"), "How long a server that did not answer is left alone the first time."
    )
    destination_retry_multiplier: int = option(2, "How much longer it is left alone each time that follows.")
    destination_max_retry_interval: Duration = option(Duration.of("1w"), "The longest time that it is left alone.")


@dataclass(frozen=True)
class SendingConfig:
    """Sending to other servers."""

    federation: FederationSettings = option(FederationSettings(), "How patient this server is with others.")
    federation_rr_transactions_per_room_per_second: int = option(
        50, "To how many servers a second the news of who has read what goes out, for each room."
    )

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        settings = self.federation
        for name in ("client_timeout", "destination_min_retry_interval", "destination_max_retry_interval"):
            if getattr(settings, name).ms <= 0:
                yield f"federation.{name}", "must be longer than nothing"
        if settings.destination_retry_multiplier < 1:
            yield "federation.destination_retry_multiplier", "must be at least 1"
        if self.federation_rr_transactions_per_room_per_second < 1:
            yield "federation_rr_transactions_per_room_per_second", "must be at least 1"
