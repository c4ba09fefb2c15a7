"""What a user wants to be notified of: push rules, less the users whom the user ignores. Pure.

Both parts are numbered by the user's log, so that of two readings the newer is known, part by part.
"""

from dataclasses import dataclass
from functools import cached_property

from synapse_like.features.push_rules import Numbered
from synapse_like.matrix.push_rules import Ruleset

Ignored = tuple[int, frozenset[str]]
"""Whom a user ignores, and the number of the last change to that (0: never changed)."""

NO_RULES: Numbered = (0, Ruleset.default())
NOBODY: Ignored = (0, frozenset())


@dataclass(frozen=True)
class Wishes:
    """Numbered push rules and numbered ignored users."""

    rules: Numbered = NO_RULES
    ignored: Ignored = NOBODY

    @cached_property
    def ruleset(self) -> Ruleset:
        """The rules by which the user's unread counts are made."""
        return self.rules[1].silencing(self.ignored[1])

    @property
    def are_untouched(self) -> bool:
        """Whether the user never changed anything."""
        return not self.rules[0] and not self.ignored[0]

    def newest(self, other: "Wishes") -> "Wishes":
        """The newer of both rules, and the newer of both lists."""
        rules = self.rules if self.rules[0] >= other.rules[0] else other.rules
        ignored = self.ignored if self.ignored[0] >= other.ignored[0] else other.ignored
        return Wishes(rules, ignored)


NONE = Wishes()
