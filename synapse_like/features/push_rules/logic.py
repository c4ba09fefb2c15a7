"""The push rules of users: reading them, and changing them one edit at a time.

What an edit does to a set of rules is in `matrix.push_rules`; what rules say about events is asked there too.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from replication.owned import owned
from synapse_like.features.push_rules import sql
from synapse_like.features.push_rules.stream import PUSH_RULES, PushRulesFact, read, written
from synapse_like.matrix.push_rules import Ruleset
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.followed import Followed
from synapse_like.toolkit.locks import KeyedLocks

Edit = Callable[[Ruleset], Ruleset]
Numbered = tuple[int, Ruleset]
"""A set of rules, and the number in the user's log of the change that made it (0: never changed)."""

Changed = Callable[[str, int, Ruleset], Awaitable[None]]


class PushRules:
    """The rules of all users. `on_changed` hear of a change (user id, number, rules) before it is answered."""

    def __init__(self, database: Database, rooms: Rooms) -> None:
        self.on_changed: list[Changed] = []
        self._database = database
        self._log = rooms.user_log
        self._locks = KeyedLocks()
        self.cache: Followed[Ruleset] = Followed(self._load, Ruleset.default())
        rooms.reader.subscribe(PUSH_RULES, self._take)

    async def of(self, user_id: str) -> Ruleset:
        """A user's rules."""
        return await self.cache.get(user_id)

    async def client_json(self, user_id: str) -> dict[str, Any]:
        """A user's rules as `m.push_rules` shows them."""
        return (await self.of(user_id)).to_client_json(user_id)

    async def change(self, user_id: str, edit: Edit) -> None:
        """Change a user's rules. Raises what the edit raises; nothing is changed then."""
        async with self._locks.hold(user_id):
            before = await self.of(user_id)
            after = edit(before)
            if after == before:
                return
            fact = PushRulesFact(user_id=user_id, rules=written(after))
            await self._log.append(user_id, [(PUSH_RULES, fact)])
            self.cache.take(user_id, fact.number, after)
            for changed in self.on_changed:
                await changed(user_id, fact.number, after)

    @owned(USER, "user_id")
    async def forget(self, user_id: str) -> None:
        """Give a deactivated user the default rules."""
        await self.change(user_id, lambda _: Ruleset.default())

    def _take(self, facts: Sequence[PushRulesFact]) -> None:
        for fact in facts:
            self.cache.take(fact.user_id, fact.number, fact.ruleset())

    async def _load(self, user_ids: Sequence[str]) -> dict[str, Numbered]:
        return await self._database.read(lambda txn: rules_of(txn, user_ids))


def rules_of(transaction: Transaction, user_ids: Sequence[str]) -> dict[str, Numbered]:
    """The rules of those users who have ever changed any, in one query."""
    return {user_id: (number, read(rules)) for user_id, number, rules in sql.of_users(transaction, user_ids)}
