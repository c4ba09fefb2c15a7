"""Push rules: the `/pushrules` API, their storage, and `m.push_rules` in /sync.

What rules mean is in `matrix.push_rules`, unread counts are in `features.unread`. `PushRules` is the front door.
"""

from synapse_like.features.account_data import UserData
from synapse_like.features.accounts import Accounts
from synapse_like.features.push_rules.api import PushRulesApi
from synapse_like.features.push_rules.logic import Numbered, PushRules, rules_of
from synapse_like.features.push_rules.section import M_PUSH_RULES, PushRulesSection
from synapse_like.features.push_rules.stream import PUSH_RULES, PushRulesFact, storage
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "PUSH_RULES", "Numbered", "PushRules", "PushRulesFact", "rules_of"]


def build(kit: Kit, rooms: Rooms, data: UserData, accounts: Accounts) -> Built:
    """The endpoints, the stream and the part of /sync; account data answers for the rules too."""
    rules = PushRules(kit.database, rooms)
    data.computed[M_PUSH_RULES] = rules.client_json

    async def forget(user_id: str, is_erased: bool) -> None:
        await rules.forget(user_id)

    accounts.on_deactivated.append(forget)
    return Built(
        fronts=[rules],
        apis=[PushRulesApi(rules)],
        storages=[storage()],
        caches={"push_rules": rules.cache},
        sections=[PushRulesSection(rooms.reader)],
    )


FEATURE = Feature(name="push_rules", build=build, package=__name__, apis=(PushRulesApi,))
