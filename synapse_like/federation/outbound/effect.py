"""Notes in the transaction of a batch of events which servers have joined rooms."""

from collections.abc import Callable, Sequence

from synapse_like.federation.outbound.sql import rooms as sql
from synapse_like.rooms.facts import EventFact
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.db import Transaction


def note_servers(server_name: str) -> Callable[[Transaction, Sequence[EventFact]], None]:
    """The effect, for a server of this name."""

    def note(transaction: Transaction, facts: Sequence[EventFact]) -> None:
        joined = {
            (fact.room_nid, server_of(change.state_key))
            for fact in facts
            for change in fact.trunk
            if change.member is not None and not change.member.is_local and change.member.membership == "join"
        }
        sql.add_servers(transaction, [row for row in joined if row[1] != server_name])

    return note
