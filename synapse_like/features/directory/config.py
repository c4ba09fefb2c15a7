"""The directory's part of homeserver.yaml."""

from dataclasses import dataclass
from typing import Literal

from synapse_like.toolkit.config import option


@dataclass(frozen=True)
class DirectoryRule:
    """Who may name or publish which room. Patterns may hold * and ?; the first rule that fits decides."""

    user_id: str = option("*", "Pattern of the users.")
    alias: str = option("*", "Pattern of the aliases.")
    room_id: str = option("*", "Pattern of the room ids.")
    action: Literal["allow", "deny"] = option("allow", "allow or deny.")


@dataclass(frozen=True)
class DirectoryConfig:
    """Room aliases and the published room directory."""

    allow_public_rooms_without_auth: bool = option(False, "Show the directory to those who have not logged in.")
    allow_public_rooms_over_federation: bool = option(False, "Show the directory to other servers.")
    enable_room_list_search: bool = option(True, "Answer questions about the directory; otherwise it seems empty.")
    require_membership_for_aliases: bool = option(True, "Only members of a room may make aliases for it.")
    alias_creation_rules: tuple[DirectoryRule, ...] = option(
        (DirectoryRule(),), "Who may make which aliases. What no rule fits is denied."
    )
    room_list_publication_rules: tuple[DirectoryRule, ...] = option(
        (DirectoryRule(),), "Who may publish which rooms in the directory. What no rule fits is denied."
    )
