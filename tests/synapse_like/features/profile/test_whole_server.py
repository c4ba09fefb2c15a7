"""Profiles on the whole server: from registration, through rooms, to the end of an account."""

from urllib.parse import quote

from synapse_like.features.profile import ProfileSpread
from tests.kit.homeserver import TestServer


async def test_a_name_from_registration_to_rooms(server: TestServer) -> None:
    ann, ben = await server.register("ann"), await server.register("ben")
    assert await server.ok("GET", "/profile/@ann:test") == {"displayname": "ann"}
    room_id = await server.create_room(ann, preset="public_chat")
    await server.join(ben, room_id)
    await server.ok("PUT", "/profile/@ben:test/avatar_url", {"avatar_url": "mxc://test/ben"}, token=ben)
    await server.ok("PUT", "/profile/@ben:test/displayname", {"displayname": "Benjamin"}, token=ben)
    await server.homeserver.front(ProfileSpread).idle()
    await server.caught_up()
    joined = (await server.sync(ann))["rooms"]["join"][room_id]
    told = [event for event in joined["timeline"]["events"] if event.get("state_key") == "@ben:test"]
    expected = {"membership": "join", "displayname": "Benjamin", "avatar_url": "mxc://test/ben"}
    assert told[-1]["content"] == expected
    second = await server.create_room(ann, invite=["@ben:test"])
    await server.caught_up()
    invite = (await server.sync(ben))["rooms"]["invite"][second]["invite_state"]["events"][-1]
    assert invite["content"] == {**expected, "membership": "invite"}


async def test_a_closed_account_leaves_no_data(server: TestServer) -> None:
    ann = await server.register("ann")
    await server.ok("PUT", "/user/@ann:test/account_data/x", {"n": 1}, token=ann)
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "ann"}, "password": "wordpass-1"}
    first = await server.request("POST", "/account/deactivate", {}, token=ann)
    assert first.status == 401
    await server.ok("POST", "/account/deactivate", {"auth": {**auth, "session": first.body["session"]}}, token=ann)
    database = server.homeserver.kit.database
    while await database.read(lambda txn: txn.all("SELECT 1 FROM account_data WHERE is_deleted = 0")):
        await server.homeserver.kit.clock.sleep(0)
    while (await server.request("GET", "/profile/" + quote("@ann:test"))).status != 404:
        await server.homeserver.kit.clock.sleep(0)
