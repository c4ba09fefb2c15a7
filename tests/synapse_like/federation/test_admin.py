"""What administrators see of other servers."""

from urllib.parse import quote

from synapse_like.federation.outbound import Backoffs, Sender
from tests.kit.accounts import make_admin
from tests.kit.homeserver import TestServer
from tests.kit.remote_servers import Remotes, member

_PATH = "/_synapse/admin/v1/federation/destinations"


async def test_destinations_their_state_and_their_rooms(server: TestServer, remotes: Remotes) -> None:
    admin = await make_admin(server, "admin")
    room_id = await server.create_room(admin, preset="public_chat")
    for user_id in ("@bob:one", "@dan:two", "@eve:three.example:8448"):
        await member(server, room_id, user_id)
    remotes.dead.add("two")
    await server.send(admin, room_id)
    await remotes.quiet()
    sender: Sender = server.homeserver.front(Sender)
    await sender.save(is_forced=True)
    await server.homeserver.front(Backoffs).stop()
    found = await server.ok("GET", _PATH, token=admin)
    by_name = {each["destination"]: each for each in found["destinations"]}
    assert found["total"] == 3 and by_name.keys() == {"one", "two", "three.example:8448"}
    assert by_name["one"]["failure_ts"] is None and by_name["one"]["last_successful_stream_ordering"]
    assert by_name["two"]["failure_ts"] == by_name["two"]["retry_last_ts"] > 0
    assert by_name["two"]["retry_interval"] >= 600_000
    page = await server.ok("GET", _PATH, token=admin, query={"limit": 2, "dir": "b"})
    assert [each["destination"] for each in page["destinations"]] == ["two", "three.example:8448"]
    rest = await server.ok("GET", _PATH, token=admin, query={"from": page["next_token"], "dir": "b"})
    assert [each["destination"] for each in rest["destinations"]] == ["one"] and "next_token" not in rest
    some = await server.ok("GET", _PATH, token=admin, query={"destination": "THREE"})
    assert [each["destination"] for each in some["destinations"]] == ["three.example:8448"]
    by_failure = await server.ok("GET", _PATH, token=admin, query={"order_by": "failure_ts", "dir": "b"})
    assert by_failure["destinations"][0]["destination"] == "two"
    one = await server.ok("GET", f"{_PATH}/{quote('three.example:8448')}", token=admin)
    assert one == by_name["three.example:8448"]
    rooms = await server.ok("GET", f"{_PATH}/two/rooms", token=admin)
    assert rooms["total"] == 1 and rooms["rooms"][0]["room_id"] == room_id


async def test_a_server_can_be_tried_again_at_once(server: TestServer, remotes: Remotes) -> None:
    admin = await make_admin(server, "admin")
    room_id = await server.create_room(admin, preset="public_chat")
    await member(server, room_id, "@dan:two")
    remotes.dead.add("two")
    await server.send(admin, room_id, "late")
    await remotes.quiet()
    await server.homeserver.front(Backoffs).stop()
    remotes.dead.clear()
    await server.ok("POST", f"{_PATH}/two/reset_connection", {}, token=admin)
    await remotes.until(lambda: remotes.texts("two") == ["late"])
    assert (await server.request("POST", f"{_PATH}/two/reset_connection", {}, token=admin)).status == 400


async def test_who_may_look_and_what_is_not_there(server: TestServer, remotes: Remotes) -> None:
    admin, alice = await make_admin(server, "admin"), await server.register("alice")
    for path in (_PATH, f"{_PATH}/one", f"{_PATH}/one/rooms"):
        assert (await server.request("GET", path)).status == 401
        assert (await server.request("GET", path, token=alice)).status == 403
    for path in (f"{_PATH}/none", f"{_PATH}/none/rooms"):
        assert (await server.request("GET", path, token=admin)).status == 404
    for query in ({"order_by": "colour"}, {"dir": "up"}, {"limit": "x"}, {"from": "-1"}):
        assert (await server.request("GET", _PATH, token=admin, query=query)).status == 400
