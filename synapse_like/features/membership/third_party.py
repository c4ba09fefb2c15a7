"""Third-party invites (to an e-mail address, say): the proof of an identity server becomes an invite to a user.

Source: Client-Server API, "Third-party invites". The rules check the signature; here is only what comes before.
"""

from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.errors import Forbidden
from synapse_like.matrix.ids import domain_of
from synapse_like.rooms.front import Draft
from synapse_like.rooms.live import MEMBER, LiveRoom


def invite_by_proof(room: LiveRoom, user_id: str, signed: Mapping[str, Any], server_name: str) -> Draft:
    """The invite that a `third_party_signed` of a join stands for. Raises Forbidden if the room knows nothing of it."""
    token = signed.get("token")
    invite = room.state_event("m.room.third_party_invite", token) if isinstance(token, str) else None
    if invite is None:
        raise Forbidden("The room knows no third-party invite with this token")
    if domain_of(invite.sender) != server_name:
        raise Forbidden("The third-party invite was made by a user of another server")
    proof = {key: signed.get(key) for key in ("mxid", "token", "signatures")}
    content = {
        "membership": "invite",
        "third_party_invite": {"display_name": str(invite.content.get("display_name", "")), "signed": proof},
    }
    return Draft(type=MEMBER, sender=invite.sender, state_key=user_id, content=content)
