"""PUT /send: transactions of other servers. Source: server-server API, "Transactions"."""

from typing import Any

from synapse_like.federation.inbound.bodies import json_object
from synapse_like.federation.inbound.transactions import Transactions
from synapse_like.toolkit.http import Auth, Balance, Request, Timeout, endpoint

LIMIT_BYTES = 12 * 1024 * 1024
"""50 events and 100 EDUs of the largest size, and what is around them."""


class TransactionsApi:
    """The endpoint."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    @endpoint(
        "PUT",
        "/_matrix/federation/v1/send/{transaction_id}",
        auth=Auth.FEDERATION,
        writes=("events",),
        balance=Balance.ORIGIN,
        limit_bytes=LIMIT_BYTES,
        timeout=Timeout.SLOW,
        pool="federation",
        resource="federation",
    )
    async def send(self, request: Request[Any]) -> dict[str, Any]:
        """Take a transaction."""
        body = json_object(request.raw_body)
        return await self._transactions.take(request.origin, request.params["transaction_id"], body)
