"""Profiles of local users: reading them and changing them, one change of a user at a time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from replication.owned import owned
from synapse_like.features.membership import MemberProfile
from synapse_like.features.profile import sql
from synapse_like.features.profile.fields import AVATAR, DISPLAY_NAME, check_size
from synapse_like.features.profile.spread import ProfileSpread
from synapse_like.features.profile.stream import PROFILES, Profile, ProfileFact, fact_of
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.followed import Followed
from synapse_like.toolkit.locks import KeyedLocks


class Profiles:
    """The profiles. A change returns when it is committed; the user's rooms hear of it soon after."""

    def __init__(self, database: Database, rooms: Rooms, spread: ProfileSpread) -> None:
        self._database = database
        self._log = rooms.user_log
        self._spread = spread
        self._locks = KeyedLocks()
        self.cache: Followed[Profile | None] = Followed(self._load, None)
        rooms.reader.subscribe(PROFILES, self._take)

    async def get(self, user_id: str) -> Profile | None:
        """A user's profile; None if there is no such local user, or the account is closed."""
        return await self.cache.get(user_id)

    async def member_profile(self, user_id: str) -> MemberProfile:
        """What membership events say about a user; an empty profile for users of other servers."""
        profile = await self.get(user_id) or Profile()
        return MemberProfile(profile.display_name, profile.avatar_url)

    @owned(USER, "user_id")
    async def create(self, user_id: str, display_name: str | None) -> None:
        """Give a new user a profile."""
        await self._append(ProfileFact(user_id=user_id, display_name=display_name, avatar_url=None))

    async def set_field(self, user_id: str, key: str, value: Any) -> None:
        """Set a field to a value that `fields.value_in` has let through. Raises ProfileTooLarge."""
        async with self._locks.hold(user_id):
            profile = await self.get(user_id) or Profile()
            await self._change(user_id, profile, _with(profile, key, value))

    async def remove_field(self, user_id: str, key: str) -> None:
        """Remove a field; nothing happens if it is not there."""
        async with self._locks.hold(user_id):
            profile = await self.get(user_id) or Profile()
            await self._change(user_id, profile, _without(profile, key))

    @owned(USER, "user_id")
    async def erase(self, user_id: str) -> None:
        """Remove a profile with all that is in it, for a closed account."""
        async with self._locks.hold(user_id):
            if await self.get(user_id) is not None:
                await self._append(ProfileFact(user_id=user_id, display_name=None, avatar_url=None, is_gone=True))

    async def _change(self, user_id: str, old: Profile, new: Profile) -> None:
        if new == old:
            return
        check_size(new.json())
        is_intent = (new.display_name, new.avatar_url) != (old.display_name, old.avatar_url)
        await self._append(
            ProfileFact(
                user_id=user_id,
                display_name=new.display_name,
                avatar_url=new.avatar_url,
                fields=canonical_json(dict(new.fields)).decode(),
                is_intent=is_intent,
            )
        )
        if is_intent:
            self._spread.begin(user_id)

    async def _append(self, fact: ProfileFact) -> None:
        await self._log.append(fact.user_id, [(PROFILES, fact)])
        self._take([fact])

    def _take(self, facts: Sequence[ProfileFact]) -> None:
        for fact in facts:
            self.cache.take(fact.user_id, fact.number, fact.profile)

    async def _load(self, user_ids: Sequence[str]) -> dict[str, tuple[int, Profile | None]]:
        facts = [fact_of(row) for row in await self._database.read(lambda txn: sql.of_users(txn, user_ids))]
        return {fact.user_id: (fact.number, fact.profile) for fact in facts}


def _with(profile: Profile, key: str, value: Any) -> Profile:
    if key == DISPLAY_NAME:
        return replace(profile, display_name=value)
    if key == AVATAR:
        return replace(profile, avatar_url=value)
    return replace(profile, fields={**profile.fields, key: value})


def _without(profile: Profile, key: str) -> Profile:
    if key in (DISPLAY_NAME, AVATAR):
        return _with(profile, key, None)
    return replace(profile, fields={name: value for name, value in profile.fields.items() if name != key})
