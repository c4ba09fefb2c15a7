"""Account data: what clients keep for their user, globally and per room; tags; and the users that a user ignores.

Read markers and push rules show up among the account data, but belong to their own features: these write with
`UserData.put`, or answer with `UserData.computed`.
"""

from synapse_like.features.account_data.api import AccountDataApi, TagsApi
from synapse_like.features.account_data.logic import GLOBAL, IGNORED_USERS, UserData, ignore_lists, ignored_in
from synapse_like.features.account_data.section import AccountDataSection
from synapse_like.features.account_data.stream import ACCOUNT_DATA, AccountDataFact, storage
from synapse_like.features.account_data.tags import Tags
from synapse_like.features.accounts import Accounts
from synapse_like.features.filters import Filters
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = [
    "ACCOUNT_DATA",
    "FEATURE",
    "GLOBAL",
    "IGNORED_USERS",
    "AccountDataFact",
    "Tags",
    "UserData",
    "ignore_lists",
    "ignored_in",
]


def build(kit: Kit, rooms: Rooms, filters: Filters, accounts: Accounts) -> Built:
    """Account data and tags, their endpoints and their part of /sync."""
    data = UserData(kit.database, rooms, filters)

    async def purge(user_id: str, is_erased: bool) -> None:
        await data.purge(user_id)

    accounts.on_deactivated.append(purge)
    tags = Tags(data)
    return Built(
        fronts=[data, tags],
        apis=[AccountDataApi(data), TagsApi(tags)],
        storages=[storage()],
        caches={"ignored_users": data.cache},
        sections=[AccountDataSection(rooms.reader)],
    )


FEATURE = Feature(
    name="account_data",
    build=build,
    package=__name__,
    apis=(AccountDataApi, TagsApi),
    unstable={"org.matrix.msc3391": True},
)
