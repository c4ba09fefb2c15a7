"""Backups of keys: versions, the keys in them, and which of two keys stays."""

from typing import Any

import pytest

from synapse_like.toolkit.together import together
from tests.kit.homeserver import Answer, TestServer, server

__all__ = ["server"]

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
ROOM, OTHER = "!room:test", "!other:test"
AUTH = {"public_key": "abc", "signatures": {"@alice:test": {"ed25519:X": "sig"}}}


def key(index: int = 0, forwarded: int = 0, *, is_verified: bool = False, data: str = "x") -> dict[str, Any]:
    return {
        "first_message_index": index,
        "forwarded_count": forwarded,
        "is_verified": is_verified,
        "session_data": {"ciphertext": data},
    }


class Backup:
    """A user's newest backup."""

    def __init__(self, server: TestServer, token: str, version: str) -> None:
        self.server = server
        self.token = token
        self.version = version

    @classmethod
    async def create(cls, server: TestServer, token: str) -> "Backup":
        body = {"algorithm": ALGORITHM, "auth_data": AUTH}
        return cls(server, token, (await server.ok("POST", "/room_keys/version", body, token=token))["version"])

    async def request(self, method: str, place: str = "", body: Any = None, version: str | None = None) -> Answer:
        query = {"version": version or self.version}
        return await self.server.request(method, f"/room_keys/keys{place}", body, token=self.token, query=query)

    async def ok(self, method: str, place: str = "", body: Any = None) -> Any:
        answer = await self.request(method, place, body)
        assert answer.status == 200, answer
        return answer.body

    async def shown(self) -> Any:
        return await self.server.ok("GET", f"/room_keys/version/{self.version}", token=self.token)


async def backup(server: TestServer) -> Backup:
    return await Backup.create(server, await server.register("alice"))


async def test_a_backup_is_begun_and_shown(server: TestServer) -> None:
    token = await server.register("alice")
    answer = await server.request("GET", "/room_keys/version", token=token)
    assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")
    found = await Backup.create(server, token)
    expected = {"algorithm": ALGORITHM, "auth_data": AUTH, "version": "1", "count": 0, "etag": "0"}
    assert await found.shown() == expected
    assert await server.ok("GET", "/room_keys/version", token=token) == expected
    assert (await Backup.create(server, token)).version == "2"


async def test_what_a_backup_says_of_itself_is_changed(server: TestServer) -> None:
    found = await backup(server)
    path = "/room_keys/version/1"
    body = {"algorithm": ALGORITHM, "auth_data": {"new": 1}, "version": "1"}
    await server.ok("PUT", path, body, token=found.token)
    assert (await found.shown())["auth_data"] == {"new": 1}
    for change, status in (({"algorithm": "other"}, 400), ({"version": "2"}, 400), ({"auth_data": 5}, 400)):
        answer = await server.request("PUT", path, {**body, **change}, token=found.token)
        assert answer.status == status, change
    answer = await server.request("PUT", "/room_keys/version/9", {**body, "version": "9"}, token=found.token)
    assert answer.status == 404


async def test_a_deleted_backup_is_gone_and_its_number_too(server: TestServer) -> None:
    found = await backup(server)
    await found.ok("PUT", f"/{ROOM}/s", key())
    for _ in range(2):
        await server.ok("DELETE", "/room_keys/version/1", token=found.token)
    for version in ("1", "2", "x", "1" * 40, "-1"):
        answer = await server.request("GET", f"/room_keys/version/{version}", token=found.token)
        assert answer.status == 404, version
    assert (await server.request("DELETE", "/room_keys/version/7", token=found.token)).status == 404
    assert (await found.request("GET")).status == 404
    assert (await found.request("PUT", f"/{ROOM}/s", key())).status == 404
    assert (await Backup.create(server, found.token)).version == "2"


async def test_the_one_before_is_current_again_when_the_newest_is_deleted(server: TestServer) -> None:
    found = await backup(server)
    await Backup.create(server, found.token)
    await server.ok("DELETE", "/room_keys/version/2", token=found.token)
    assert (await server.ok("GET", "/room_keys/version", token=found.token))["version"] == "1"
    await found.ok("PUT", f"/{ROOM}/s", key())


async def test_keys_are_put_and_got_at_every_place(server: TestServer) -> None:
    found = await backup(server)
    assert await found.ok("GET") == {"rooms": {}}
    assert await found.ok("GET", f"/{ROOM}") == {"sessions": {}}
    assert (await found.request("GET", f"/{ROOM}/s")).status == 404
    assert await found.ok("PUT", f"/{ROOM}/s1", key(1)) == {"count": 1, "etag": "1"}
    assert await found.ok("PUT", f"/{ROOM}", {"sessions": {"s1": key(1), "s2": key(2)}}) == {"count": 2, "etag": "2"}
    rooms = {"rooms": {OTHER: {"sessions": {"s3/x": key(3, is_verified=True)}}, ROOM: {"sessions": {}}}}
    assert await found.ok("PUT", "", rooms) == {"count": 3, "etag": "3"}
    assert await found.ok("GET", f"/{ROOM}/s1") == key(1)
    assert await found.ok("GET", f"/{OTHER}/s3%2Fx") == key(3, is_verified=True)
    assert await found.ok("GET", f"/{ROOM}") == {"sessions": {"s1": key(1), "s2": key(2)}}
    everything = {
        ROOM: {"sessions": {"s1": key(1), "s2": key(2)}},
        OTHER: {"sessions": {"s3/x": key(3, is_verified=True)}},
    }
    assert await found.ok("GET") == {"rooms": everything}
    shown = await found.shown()
    assert (shown["count"], shown["etag"]) == (3, "3")


async def test_keys_are_deleted_at_every_place(server: TestServer) -> None:
    found = await backup(server)
    sessions = {"sessions": {f"s{index}": key() for index in range(3)}}
    await found.ok("PUT", "", {"rooms": {ROOM: sessions, OTHER: sessions}})
    assert await found.ok("DELETE", f"/{ROOM}/s0") == {"count": 5, "etag": "2"}
    assert await found.ok("DELETE", f"/{ROOM}/s0") == {"count": 5, "etag": "2"}
    assert await found.ok("DELETE", f"/{ROOM}") == {"count": 3, "etag": "3"}
    assert await found.ok("DELETE") == {"count": 0, "etag": "4"}
    assert await found.ok("GET") == {"rooms": {}}


async def test_only_the_newest_backup_takes_keys(server: TestServer) -> None:
    found = await backup(server)
    newest = await Backup.create(server, found.token)
    answer = await found.request("PUT", f"/{ROOM}/s", key())
    assert (answer.status, answer.body["errcode"]) == (403, "M_WRONG_ROOM_KEYS_VERSION")
    assert answer.body["current_version"] == "2"
    await newest.ok("PUT", f"/{ROOM}/s", key())
    assert await found.ok("GET") == {"rooms": {}}
    answer = await server.request("GET", "/room_keys/keys", token=found.token)
    assert (answer.status, answer.body["errcode"]) == (400, "M_MISSING_PARAM")


async def test_the_better_key_stays(server: TestServer) -> None:
    found = await backup(server)
    steps = [
        (key(5, 5, data="a"), "a"),
        (key(5, 5, data="b"), "a"),
        (key(5, 6, data="c"), "a"),
        (key(5, 4, data="d"), "d"),
        (key(6, 0, data="e"), "d"),
        (key(4, 9, data="f"), "f"),
        (key(9, 9, is_verified=True, data="g"), "g"),
        (key(0, 0, data="h"), "g"),
    ]
    etags = []
    for sent, expected in steps:
        etags.append((await found.ok("PUT", f"/{ROOM}/s", sent))["etag"])
        assert (await found.ok("GET", f"/{ROOM}/s"))["session_data"]["ciphertext"] == expected
    assert etags == ["1", "1", "1", "2", "2", "3", "4", "4"]


async def test_devices_that_back_up_at_once_are_counted_right(server: TestServer) -> None:
    found = await backup(server)
    puts = [found.ok("PUT", f"/{ROOM}", {"sessions": {f"s{index % 7}": key(index)}}) for index in range(20)]
    await together(puts)
    shown = await found.shown()
    assert shown["count"] == 7 == len((await found.ok("GET", f"/{ROOM}"))["sessions"])
    assert all(each["first_message_index"] < 7 for each in (await found.ok("GET", f"/{ROOM}"))["sessions"].values())


async def test_backups_that_are_begun_at_once_are_different(server: TestServer) -> None:
    token = await server.register("alice")
    begun = await together([Backup.create(server, token) for _ in range(8)])
    assert sorted(int(each.version) for each in begun) == list(range(1, 9))


async def test_backups_are_ones_own(server: TestServer) -> None:
    found = await backup(server)
    await found.ok("PUT", f"/{ROOM}/s", key())
    bob = await Backup.create(server, await server.register("bob"))
    assert bob.version == "1"
    assert await bob.ok("GET") == {"rooms": {}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**key(), "first_message_index": -1},
        {**key(), "first_message_index": 2**60},
        {**key(), "forwarded_count": "1"},
        {**key(), "is_verified": 1},
        {**key(), "session_data": "x"},
        key(data="x" * 70_000),
    ],
)
async def test_odd_keys_are_refused(server: TestServer, body: Any) -> None:
    found = await backup(server)
    assert (await found.request("PUT", f"/{ROOM}/s", body)).status in (400, 413)
    assert (await found.request("PUT", "", {"rooms": {"\0": {"sessions": {"s": key()}}}})).status == 400
    assert (await found.shown())["count"] == 0
