"""OpenID tokens: a user proves to a third party (an identity server, a widget, a call server) who they are."""

from synapse_like.features.accounts import Accounts
from synapse_like.features.openid.api import OpenIdApi
from synapse_like.features.openid.logic import OpenId
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "OpenId"]

_CLEAN_EVERY_SECONDS = 60 * 60


def build(kit: Kit, accounts: Accounts) -> Built:
    """The tokens, their endpoints, and cleaning up."""
    openid = OpenId(kit.database, kit.clock, kit.randomness)

    async def revoke(user_id: str, is_erased: bool) -> None:
        await openid.revoke(user_id)

    accounts.on_deactivated.append(revoke)
    jobs = [("expired OpenID tokens", float(_CLEAN_EVERY_SECONDS), openid.remove_expired)]
    return Built(fronts=[openid], apis=[OpenIdApi(openid, kit.server_name)], jobs=jobs)


FEATURE = Feature(name="openid", build=build, package=__name__, apis=(OpenIdApi,))
