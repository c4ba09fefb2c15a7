"""What servers tell each other about rooms and users without sharing a room: lists, aliases, profiles, hierarchies."""

from urllib.parse import quote

from tests.federation.sides import Border, eventually, fresh_name, person
from tests.kit.client import V3


def test_the_public_rooms_of_another_server(border: Border) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    name = fresh_name("Listed")
    room_id = alice.create_room(preset="public_chat", visibility="public", name=name, topic="For all")
    query = {"server": border.host.server_name}

    def listed() -> bool:
        rooms = bob.call("GET", f"{V3}/publicRooms", query=query)["chunk"]
        return any((each["room_id"], each["name"], each["num_joined_members"]) == (room_id, name, 1) for each in rooms)

    eventually(listed, "the room in the other server's list")
    wanted = {"filter": {"generic_search_term": name.upper()}, "limit": 5}
    found = bob.call("POST", f"{V3}/publicRooms", wanted, query=query)["chunk"]
    assert [each["room_id"] for each in found] == [room_id]


def test_an_alias_of_another_server(border: Border) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    name = fresh_name("alias")
    room_id = alice.create_room(room_alias_name=name)
    alias = f"#{name}:{border.host.server_name}"
    found = bob.call("GET", f"{V3}/directory/room/{quote(alias)}")
    assert found["room_id"] == room_id
    assert border.host.server_name in found["servers"]
    status, reply = bob.request("GET", f"{V3}/directory/room/{quote(f'#no-{alias[1:]}')}")
    assert (status, reply["errcode"]) == (404, "M_NOT_FOUND")


def test_a_profile_of_another_server(border: Border) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    alice.call("PUT", f"{V3}/profile/{alice.user_id}/displayname", {"displayname": "Alice Abroad"})
    found = bob.call("GET", f"{V3}/profile/{alice.user_id}")
    assert found["displayname"] == "Alice Abroad"
    assert bob.call("GET", f"{V3}/profile/{alice.user_id}/displayname") == {"displayname": "Alice Abroad"}
    status, reply = bob.request("GET", f"{V3}/profile/@nobody-{alice.user_id[1:]}")
    assert (status, reply["errcode"]) == (404, "M_NOT_FOUND")


def test_a_space_of_another_server(border: Border) -> None:
    alice, bob = person(border.host, "alice"), person(border.guest, "bob")
    via = {"via": [border.host.server_name]}
    space_id = alice.create_room(preset="public_chat", name="Town", creation_content={"type": "m.space"})
    rooms = [alice.create_room(preset="public_chat", name=f"Street {number}") for number in range(3)]
    for room_id in rooms:
        alice.put_state(space_id, "m.space.child", via, room_id)
    bob.call("POST", f"{V3}/join/{space_id}?server_name={border.host.server_name}&via={border.host.server_name}", {})
    path = f"{V3.replace('v3', 'v1')}/rooms/{quote(space_id)}/hierarchy"
    found = bob.call("GET", path)["rooms"]
    assert {each["room_id"] for each in found} == {space_id, *rooms}
    assert {each.get("name") for each in found} == {"Town", "Street 0", "Street 1", "Street 2"}
