"""An invite to an address becomes an invite to a user when its proof is shown at the join."""

from synapse_like.matrix.signatures import sign_json
from synapse_like.matrix.signing_keys import SigningKey
from tests.kit.homeserver import TestServer
from tests.kit.room_features import house, member_of

__all__ = ["house"]

KEY = SigningKey.from_seed("0", b"i" * 32)


async def invited_by_address(house: TestServer) -> str:
    content = {"display_name": "b...", "key_validity_url": "https://is", "public_key": KEY.verify_key.to_base64()}
    state = [{"type": "m.room.third_party_invite", "state_key": "token", "content": content}]
    return await house.create_room("alice", initial_state=state)


async def test_a_good_proof_lets_in(house: TestServer) -> None:
    room_id = await invited_by_address(house)
    signed = sign_json({"mxid": "@bob:test", "token": "token"}, "is", KEY)
    body = {"third_party_signed": {**signed, "sender": "@alice:test"}}
    await house.ok("POST", f"/join/{room_id}", body, token="bob")
    assert await member_of(house, room_id, "bob") == "join"


async def test_bad_proofs_do_not(house: TestServer) -> None:
    room_id = await invited_by_address(house)
    other = sign_json({"mxid": "@bob:test", "token": "other"}, "is", KEY)
    theirs = sign_json({"mxid": "@bob:test", "token": "token"}, "is", KEY)
    unsigned = {"mxid": "@eve:test", "token": "token", "signatures": {}}
    for signed in (other, theirs, unsigned, {}):
        answer = await house.request("POST", f"/join/{room_id}", {"third_party_signed": signed}, token="eve")
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN")
    assert await member_of(house, room_id, "eve") is None
