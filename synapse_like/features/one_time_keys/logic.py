"""One-time keys: laid in by devices, given out to whoever wants to talk to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from replication.batch import Extra
from replication.log import Pair
from replication.owned import owned
from replication.shards import NotOwned
from synapse_like.features.accounts import Accounts
from synapse_like.features.one_time_keys import sql
from synapse_like.features.one_time_keys.facts import Key, OneTimeKeysFact, Stock
from synapse_like.features.one_time_keys.keys import MAX_STOCK
from synapse_like.features.one_time_keys.stream import ONE_TIME_KEYS
from synapse_like.matrix.errors import InvalidParam
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.together import together

Claims = Mapping[str, Mapping[str, str]]
"""User → device → algorithm."""

Claimed = dict[str, dict[str, dict[str, msgspec.Raw]]]
"""User → device → ``algorithm:key_id`` → the key. Who had none is left out."""

_NOTHING: Final = Stock(0, {}, ())


@dataclass(frozen=True, slots=True)
class Deposit:
    """Keys that are laid in: `fact` and `extra` go into one append to the user's log; then `fact.counts` is right."""

    fact: OneTimeKeysFact
    extra: Extra

    @property
    def pair(self) -> Pair:
        """What is appended."""
        return ONE_TIME_KEYS, self.fact


class OneTimeKeys:
    """The one-time keys of local users. A `Companion` of devices.

    Federation answers a remote server's claim with `claim_all`, for users of ours.
    """

    def __init__(self, log: UserLog, accounts: Accounts) -> None:
        self._log = log
        self._accounts = accounts

    def look(
        self, transaction: Transaction, user_id: str, device_id: str, keys: Sequence[Key]
    ) -> tuple[list[Key], Stock]:
        """Which of these keys the device has, by their ids, and what it has in all."""
        stock = sql.stocks(transaction, [(user_id, device_id)]).get((user_id, device_id))
        if stock is None:
            return [], _NOTHING
        return sql.existing(transaction, user_id, device_id, [key.key_id for key in keys]), stock

    def fresh(self, keys: Sequence[Key], known: Sequence[Key], stock: Stock) -> list[Key]:
        """Those of the uploaded keys that are new. Raises InvalidParam for a known id with other content."""
        texts = {(key.algorithm, key.key_id): key.json for key in known}
        found = []
        for key in keys:
            text = texts.get((key.algorithm, key.key_id))
            if text is None:
                found.append(key)
            elif text != key.json:
                raise InvalidParam(f"One-time key {key.algorithm}:{key.key_id} already exists with other content")
        for algorithm in {key.algorithm for key in found}:
            added = sum(key.algorithm == algorithm for key in found)
            if stock.counts.get(algorithm, 0) + added > MAX_STOCK:
                raise InvalidParam(f"A device may have at most {MAX_STOCK} one-time keys of an algorithm")
        return found

    def deposit(self, user_id: str, device_id: str, keys: Sequence[Key], fallbacks: Sequence[Key]) -> Deposit:
        """Lay in keys that are `fresh`, and replace fallback keys."""
        fact = OneTimeKeysFact(user_id=user_id, device_id=device_id)

        def store(transaction: Transaction) -> None:
            sql.add(transaction, user_id, device_id, keys, fact.number)
            sql.set_fallbacks(transaction, user_id, device_id, fallbacks)

        return Deposit(fact, store)

    async def claim_all(self, claims: Claims) -> Claimed:
        """Give out a key of each of these devices of local users: a one-time key if there is one, else the fallback.

        What is given out once is never given out again.
        """
        known = await self._accounts.existing(claims)
        facts = {
            user_id: _facts(user_id, claims[user_id]) for user_id in claims if user_id in known and claims[user_id]
        }
        refused = await self._log.append_each({user_id: _pairs(facts[user_id]) for user_id in facts})
        for error in refused.values():
            if not isinstance(error, NotOwned):
                raise error
        elsewhere = await together(self.claim(user_id, dict(claims[user_id])) for user_id in refused)
        found = {user_id: _taken(facts[user_id]) for user_id in facts if user_id not in refused}
        found.update(zip(refused, elsewhere, strict=True))
        return {
            user_id: {
                device_id: {f"{key.algorithm}:{key.key_id}": msgspec.Raw(key.json.encode())}
                for device_id, key in keys.items()
            }
            for user_id, keys in found.items()
            if keys
        }

    @owned(USER, "user_id")
    async def claim(self, user_id: str, wanted: dict[str, str]) -> dict[str, Key]:
        """Give out keys of one user: device → algorithm in, device → key out."""
        facts = _facts(user_id, wanted)
        await self._log.append(user_id, _pairs(facts))
        return _taken(facts)

    async def renamed(self, user_id: str, device_id: str, display_name: str | None) -> Sequence[Pair]:
        """Nothing to append."""
        return ()

    async def ended(self, user_id: str, device_ids: Sequence[str]) -> Sequence[Pair]:
        """Nothing to append: nobody hears of a device that is gone."""
        return ()

    def forget(self, transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
        """Delete the keys of devices that end."""
        sql.forget(transaction, user_id, device_ids)


def _facts(user_id: str, wanted: Mapping[str, str]) -> list[OneTimeKeysFact]:
    return [
        OneTimeKeysFact(user_id=user_id, device_id=device_id, wanted=algorithm)
        for device_id, algorithm in wanted.items()
    ]


def _pairs(facts: Sequence[OneTimeKeysFact]) -> list[Pair]:
    return [(ONE_TIME_KEYS, fact) for fact in facts]


def _taken(facts: Sequence[OneTimeKeysFact]) -> dict[str, Key]:
    return {fact.device_id: fact.taken for fact in facts if fact.taken is not None}
