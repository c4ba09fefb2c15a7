"""Push rules in /sync: the global account data `m.push_rules`, which clients load before anything else."""

import orjson

from replication.reader import Reader
from synapse_like.features.push_rules import sql
from synapse_like.features.push_rules.stream import PUSH_RULES, read
from synapse_like.matrix.push_rules import Ruleset
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.section import SyncContext
from synapse_like.toolkit.db import Transaction

M_PUSH_RULES = "m.push_rules"


class PushRulesSection:
    """All of a user's rules, at first and whenever one has changed."""

    name = "push_rules"
    is_ephemeral = False

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Add the rules if they have changed, from recent facts."""
        after = context.user_after()
        facts = None if after is None else self._reader.recent(PUSH_RULES).since(context.user_id, after)
        if facts is None:
            return False
        if facts:
            _put(context, response, facts[-1].ruleset())
        return True

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Add the rules if they have changed, or at first; one query."""
        row = sql.of_user(transaction, context.user_id)
        after = context.user_after()
        if after is None or (row is not None and row[1] > after):
            _put(context, response, read(row[2]) if row is not None else Ruleset.default())


def _put(context: SyncContext, response: SyncResponse, ruleset: Ruleset) -> None:
    if context.filter.account_data.allows_type(M_PUSH_RULES):
        event = {"type": M_PUSH_RULES, "content": ruleset.to_client_json(context.user_id)}
        response.account_data.append(orjson.dumps(event))
