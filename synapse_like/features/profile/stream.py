"""The stream `profiles`: the whole profile of a user after each change, and the intent to tell the user's rooms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from replication.ports import Transaction
from replication.streams import SHORT_BYTES, Fact, Storage, Stream
from synapse_like.features.profile import sql
from synapse_like.rooms.families import USER


@dataclass(frozen=True, slots=True)
class Profile:
    """What a local user says about themself. `fields` are those with names of their own."""

    display_name: str | None = None
    avatar_url: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The profile as clients see it; what is not set is not there."""
        named = {"displayname": self.display_name, "avatar_url": self.avatar_url}
        return {**{key: text for key, text in named.items() if text is not None}, **self.fields}


class ProfileFact(Fact):
    """A profile as of now. `fields` is a JSON object."""

    user_id: str
    display_name: str | None
    avatar_url: str | None
    fields: str = "{}"
    is_gone: bool = False
    is_intent: bool = False
    """Whether the user's rooms are to be told; known to the owner only, not when read back."""

    @property
    def profile(self) -> Profile | None:
        """The profile; None if it is gone."""
        if self.is_gone:
            return None
        return Profile(self.display_name, self.avatar_url, orjson.loads(self.fields))


PROFILES = Stream("profiles", USER, ProfileFact, key="user_id")


def storage() -> Storage[ProfileFact]:
    """How the facts are stored: the newest of each user, and what is intended."""
    return Storage(
        PROFILES,
        _store,
        lambda txn, after, upto: [fact_of(row) for row in sql.between(txn, after, upto)],
        weigh=lambda fact: SHORT_BYTES + len(fact.fields),
    )


def fact_of(row: sql.Stored) -> ProfileFact:
    """The fact that a row is made of."""
    user_id, number, display_name, avatar_url, fields, is_gone = row
    return ProfileFact(
        number=number,
        user_id=user_id,
        display_name=display_name,
        avatar_url=avatar_url,
        fields=fields,
        is_gone=bool(is_gone),
    )


def _store(transaction: Transaction, facts: Sequence[ProfileFact]) -> None:
    rows = [(f.user_id, f.number, f.display_name, f.avatar_url, f.fields, int(f.is_gone)) for f in facts]
    sql.store(transaction, rows)
    sql.intend(transaction, [(fact.user_id, fact.number) for fact in facts if fact.is_intent])
