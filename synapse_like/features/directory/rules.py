"""The administrators' rules about aliases and publication, compiled."""

from collections.abc import Sequence

from synapse_like.features.directory.config import DirectoryRule
from synapse_like.matrix.globs import match_whole


class Rules:
    """A list of rules; the first that fits decides, and what none fits is denied."""

    def __init__(self, rules: Sequence[DirectoryRule]) -> None:
        self._rules = [
            (
                match_whole(rule.user_id),
                match_whole(rule.room_id),
                match_whole(rule.alias),
                rule.alias == "*",
                rule.action == "allow",
            )
            for rule in rules
        ]

    def allow(self, user_id: str, room_id: str, aliases: Sequence[str]) -> bool:
        """Whether a user may do it to a room with these aliases; a room without any fits the alias pattern `*` only."""
        for fits_user, fits_room, fits_alias, fits_any_alias, is_allowed in self._rules:
            if not (fits_user(user_id) and fits_room(room_id)):
                continue
            if fits_any_alias or any(fits_alias(alias) for alias in aliases):
                return is_allowed
        return False
