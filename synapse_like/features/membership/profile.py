"""What a membership event says about its user, as the feature of profiles tells us."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MemberProfile:
    """Name and avatar of a user."""

    display_name: str | None = None
    avatar_url: str | None = None

    def content(self) -> dict[str, str]:
        """The part of an m.room.member event."""
        parts = {"displayname": self.display_name, "avatar_url": self.avatar_url}
        return {key: text for key, text in parts.items() if text}


class ProfileOf(Protocol):
    """Knows the profiles of local users."""

    async def __call__(self, user_id: str, /) -> MemberProfile:
        """The profile of a user; an empty one if there is none."""
        ...


async def no_profile(user_id: str) -> MemberProfile:
    """Nobody has a profile, as long as no feature says otherwise."""
    return MemberProfile()
