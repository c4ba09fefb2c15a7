"""What is looked up about sending to other servers: how much waits, and how many do not answer. Never by server."""

from typing import Final

from synapse_like.federation.outbound.backoffs import Backoffs
from synapse_like.federation.outbound.delivery import Delivery
from synapse_like.federation.outbound.queues import Queues
from synapse_like.toolkit.metrics import Metrics, counter, gauge

SENT: Final = counter("federation_transactions_sent", "Transactions that other servers have taken.")
QUEUES: Final = gauge("federation_queues", "Servers that this process keeps a queue for.")
PDUS: Final = gauge("federation_pdus_waiting", "Events that wait in them.")
LAGGING: Final = gauge(
    "federation_servers_lagging", "Servers that were away for so long that only their place is kept."
)
FAILING: Final = gauge(
    "federation_servers_failing", "Servers that do not answer and are tried later, known everywhere."
)

METRICS: Final = (SENT, QUEUES, PDUS, LAGGING, FAILING)


def watch_sending(metrics: Metrics, queues: Queues, delivery: Delivery, backoffs: Backoffs) -> None:
    """Show how sending goes."""
    metrics.sample(SENT, lambda: delivery.sent)
    metrics.sample(QUEUES, queues.__len__)
    metrics.sample(PDUS, lambda: sum(len(queue.pdus) for queue in queues))
    metrics.sample(LAGGING, lambda: sum(queue.lag is not None for queue in queues))
    metrics.sample(FAILING, backoffs.__len__)
