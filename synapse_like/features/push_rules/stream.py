"""The stream `push_rules`: a user's whole set of rules, at each change."""

import orjson

from replication.streams import SHORT_BYTES, Fact, Storage, Stream
from synapse_like.features.push_rules import sql
from synapse_like.matrix.push_rules import Ruleset
from synapse_like.rooms.families import USER


class PushRulesFact(Fact):
    """A user's push rules, as of now, as JSON: what differs from the default rules."""

    user_id: str
    rules: str

    def ruleset(self) -> Ruleset:
        """The rules, read."""
        return read(self.rules)


PUSH_RULES = Stream("push_rules", USER, PushRulesFact, key="user_id")


def read(rules: str) -> Ruleset:
    """A set of rules out of stored JSON."""
    return Ruleset.from_json(orjson.loads(rules))


def written(ruleset: Ruleset) -> str:
    """A set of rules as it is stored."""
    return orjson.dumps(ruleset.to_json()).decode()


def storage() -> Storage[PushRulesFact]:
    """How the facts are stored: the newest of each user."""
    return Storage(
        PUSH_RULES,
        lambda txn, facts: sql.store(txn, [(fact.user_id, fact.number, fact.rules) for fact in facts]),
        lambda txn, after, upto: [
            PushRulesFact(user_id=user_id, number=number, rules=rules)
            for user_id, number, rules in sql.between(txn, after, upto)
        ],
        weigh=lambda fact: SHORT_BYTES + len(fact.rules),
    )
