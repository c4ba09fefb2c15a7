"""The front door of federation for what is built on it."""

from dataclasses import dataclass

from synapse_like.federation.authentication import SignatureAuthenticator
from synapse_like.federation.client import FederationClient
from synapse_like.federation.keys import KeyRing
from synapse_like.federation.policy import ServerPolicy


@dataclass(frozen=True, slots=True)
class Federation:
    """What it takes to talk with other servers.

    * `policy`    with whom we talk
    * `client`    sends requests; takes the `Destinations` that know whom to leave alone
    * `keys`      verifies what other servers signed
    * `callers`   knows which server sent a request; tells `on_heard` about it
    """

    policy: ServerPolicy
    client: FederationClient
    keys: KeyRing
    callers: SignatureAuthenticator
