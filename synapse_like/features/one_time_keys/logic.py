"""One-time keys: laid in by devices, given out to whoever wants to talk to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from replication.batch import Extra
from replication.log import Pair
from replication.owned import owned
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
        stocks = sql.stocks(transaction, [(user_id, device_id)])
        known = sql.existing(transaction, user_id, device_id, [key.key_id for key in keys])
        return known, stocks.get((user_id, device_id), _NOTHING)

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
        users = [user_id for user_id in claims if user_id in known and claims[user_id]]
        asked = (self.claim(user_id, dict(claims[user_id])) for user_id in users)
        found = await together(asked, self._log.gathering())
        return {
            user_id: {
                device_id: {f"{key.algorithm}:{key.key_id}": msgspec.Raw(key.json.encode())}
                for device_id, key in keys.items()
            }
            for user_id, keys in zip(users, found, strict=True)
            if keys
        }

    @owned(USER, "user_id")
    async def claim(self, user_id: str, wanted: dict[str, str]) -> dict[str, Key]:
        """Give out keys of one user: device → algorithm in, device → key out."""
        facts = [
            OneTimeKeysFact(user_id=user_id, device_id=device_id, wanted=algorithm)
            for device_id, algorithm in wanted.items()
        ]
        await self._log.append(user_id, [(ONE_TIME_KEYS, fact) for fact in facts])
        return {fact.device_id: fact.taken for fact in facts if fact.taken is not None}

    async def renamed(self, user_id: str, device_id: str, display_name: str | None) -> Sequence[Pair]:
        """Nothing to append."""
        return ()

    async def ended(self, user_id: str, device_ids: Sequence[str]) -> Sequence[Pair]:
        """Nothing to append: nobody hears of a device that is gone."""
        return ()

    def forget(self, transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
        """Delete the keys of devices that end."""
        sql.forget(transaction, user_id, device_ids)
