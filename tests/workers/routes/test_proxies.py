"""Real proxies, told by our tables, send requests to the right kind, keep what belongs together, and fail well."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.rooms.families import ROOM, fresh_shard
from tests.kit.stubs import Stub
from tests.workers.routes.corpus import ENCODED_WORD, corpus, fill
from tests.workers.routes.front import ALL, Front, fronted, stand_ins
from workers.routes import haproxy, plan
from workers.routes.owners import OwnersMap, empty_map
from workers.routes.plan import Owners

FORMS = ("haproxy", "nginx", "envoy")
V3 = "/_matrix/client/v3"
SYNC = f"{V3}/sync"
DEADLINE_SECONDS = 15


@pytest.fixture(scope="module")
def stubs() -> Iterator[Any]:
    started = stand_ins()
    yield started
    for stub in started:
        stub.stop()


@pytest.fixture(scope="module", params=FORMS)
def front(request: pytest.FixtureRequest, tmp_path_factory: Any, stubs: Any) -> Iterator[Front]:
    with fronted(request.param, tmp_path_factory.mktemp(request.param), stubs) as running:
        yield running


def token(user: int, session: str = "secret") -> str:
    return f"slt_{user:08x}_{session}_01234567"


def send(room_id: str) -> str:
    return f"{V3}/rooms/{room_id}/send/m.room.message/1"


def eventually(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + DEADLINE_SECONDS
    while not holds():
        assert monotonic() < deadline
        sleep(0.05)


def test_every_url_reaches_the_kind_that_it_is_for_unchanged(front: Front) -> None:
    urls = list(corpus(ALL))
    for url in urls:
        status, said, _ = front.ask(url.method, url.target)
        assert status == 200
        if url.method != "HEAD":
            assert said["kind"] == url.kind.name, url
            assert said["path"] in (url.target, url.target.removesuffix("?"))
    assert front.who(*ENCODED_WORD)["path"] == ENCODED_WORD[1]


def test_a_room_sticks_to_one_writer_however_its_id_is_written(front: Front) -> None:
    homes = {}
    for number in range(30):
        room_id = f"!r{number}-_{number * 7919}:example.com"
        ways = (quote(room_id, safe=""), quote(room_id, safe="!"), room_id)
        asked = [("PUT", send(way)) for way in ways]
        asked += [("POST", f"{V3}/rooms/{ways[0]}/join"), ("PUT", f"{V3}/rooms/{ways[1]}/typing/@a:b")]
        names = {front.who(*each)["name"] for each in asked}
        assert len(names) == 1, (room_id, names)
        homes[room_id] = names.pop()
    assert set(homes.values()) == {"event_writer1", "event_writer2"}


def test_a_user_sticks_to_one_process_of_a_kind_by_any_of_its_tokens(front: Front) -> None:
    homes = set()
    for user in range(0, 2**32, 2**32 // 30):
        one, other = token(user), token(user, "another")
        asked = [
            front.who("GET", SYNC, Authorization=f"Bearer {one}"),
            front.who("GET", SYNC, Authorization=f"bearer {other}"),
            front.who("GET", f"{SYNC}?access_token={one}&timeout=0"),
            front.who("GET", f"{SYNC}?timeout=0&access_token={other}"),
        ]
        names = {said["name"] for said in asked}
        assert len(names) == 1, (user, names)
        homes |= names
    assert homes == {"sync1", "sync2"}


def test_a_token_of_another_form_sticks_too(front: Front) -> None:
    names = [{front.who("GET", SYNC, Authorization=f"Bearer syt_{n}")["name"] for _ in range(4)} for n in range(20)]
    assert {len(each) for each in names} == {1}
    assert set.union(*names) == {"sync1", "sync2"}


def test_another_server_sticks_by_its_name(front: Front) -> None:
    homes = set()
    for number in range(30):
        start = f'X-Matrix destination="here.example",origin="s{number}.example"'
        headers = [f'{start},key="ed25519:1",sig="abc"', f"X-Matrix origin=s{number}.example,key=other,sig=d"]
        path = "/_matrix/federation/v1/example/17"
        names = {front.who("PUT", path, Authorization=header)["name"] for header in headers}
        assert len(names) == 1, (number, names)
        homes |= names
    assert homes == {"federation_receiver1", "federation_receiver2"}


def test_requests_without_a_key_are_shared(front: Front) -> None:
    assert {front.who("GET", f"{V3}/login")["name"] for _ in range(40)} == {"client1", "client2"}
    assert {front.who("GET", SYNC)["name"] for _ in range(40)} == {"sync1", "sync2"}


def test_the_process_is_told_who_asks_and_by_which_request(front: Front) -> None:
    one = front.who("GET", SYNC, X_Forwarded_For="192.0.2.7", X_Request_ID="forged", Host="matrix.example")["headers"]
    assert one["x-forwarded-for"].startswith("192.0.2.7,")
    assert one["x-forwarded-for"] != "192.0.2.7,"
    assert one["x-forwarded-proto"] == "http"
    assert one["host"] == "matrix.example"
    assert len(one["x-request-id"]) >= 32
    assert one["x-request-id"] != front.who("GET", SYNC)["headers"]["x-request-id"]


def test_a_body_that_is_too_long_is_refused_in_matrix_words(front: Front) -> None:
    status, said, headers = front.ask("PUT", send("!a:b"), b"x" * (2**20 + 1))
    assert (status, said["errcode"], headers["access-control-allow-origin"]) == (413, "M_TOO_LARGE", "*")
    assert front.ask("PUT", send("!a:b"), b"x" * (2**20 - 1))[1]["length"] == 2**20 - 1


def test_a_broken_answer_is_asked_for_again_only_where_that_is_harmless(front: Front) -> None:
    rooms = {front.who("PUT", send(f"!q{n}:b"))["name"]: f"!q{n}:b" for n in range(30)}
    broken, other = front.of("event_writer")
    room_id = rooms[broken.name]
    broken.hangs_up = True
    try:
        path = seen_by(broken, front, lambda n: ("PUT", f"{send(room_id)}?n={n}"))
        assert path in other.seen
        path = seen_by(broken, front, lambda n: ("POST", f"{V3}/rooms/{room_id}/kick?n={n}"), wanted=(502, 503))
        assert sum(stub.seen.count(path) for stub in front.stubs) == 1
    finally:
        broken.hangs_up = False
    eventually(lambda: front.who("PUT", send(room_id))["name"] == broken.name)


def seen_by(stub: Stub, front: Front, request: Callable[[int], tuple[str, str]], wanted: Any = (200,)) -> str:
    """Send requests, each by a connection of its own, until one meets this stand-in, and is answered as wanted."""
    for each in front.stubs:
        each.seen.clear()
    numbers = count()
    while True:
        method, target = request(next(numbers))
        status, said, headers = Front(front.form, front.port, front.stubs).ask(method, target)
        if f"{method} {target}" in stub.seen:
            assert status in wanted
            assert status == 200 or (said["errcode"], headers["access-control-allow-origin"]) == ("M_UNKNOWN", "*")
            return f"{method} {target}"
        assert status == 200
        sleep(0.05)


def test_when_all_of_a_kind_are_gone_main_answers_and_when_they_are_back_they_do(front: Front) -> None:
    gone = front.of("sync")
    for stub in gone:
        stub.stop()
    try:
        eventually(lambda: front.ask("GET", SYNC)[0] == 200)
        assert front.who("GET", SYNC)["kind"] == "main"
    finally:
        for stub in gone:
            stub.start()
    eventually(lambda: front.who("GET", SYNC)["kind"] == "sync")


def test_one_that_stops_listening_is_not_noticed(front: Front) -> None:
    stopped = front.of("event_writer")[0]
    stopped.stop()
    try:
        for number in range(40):
            assert front.who("PUT", send(f"!s{number}:b"))["name"] == "event_writer2"
            assert front.who("POST", f"{V3}/rooms/!s{number}:b/kick")["name"] == "event_writer2"
    finally:
        stopped.start()
    both = {"event_writer1", "event_writer2"}
    eventually(lambda: {front.who("PUT", send(f"!s{n}:b"))["name"] for n in range(20)} == both)


def test_one_that_is_not_ready_gets_nothing_new(front: Front) -> None:
    if front.form == "nginx":
        pytest.skip("this nginx asks nobody for its health")
    resting = front.of("client")[0]
    resting.is_ready = False
    try:
        eventually(lambda: {front.who("GET", f"{V3}/login")["name"] for _ in range(10)} == {"client2"})
    finally:
        resting.is_ready = True
    eventually(lambda: {front.who("GET", f"{V3}/login")["name"] for _ in range(10)} == {"client1", "client2"})


def test_with_nobody_there_clients_are_told_to_come_back(front: Front) -> None:
    for stub in front.stubs:
        stub.stop()
    try:
        eventually(lambda: front.ask("GET", SYNC)[0] == 503)
        status, said, headers = front.ask("GET", SYNC)
        assert (status, said["errcode"], headers["retry-after"]) == (503, "M_UNKNOWN", "1")
        assert headers["access-control-allow-origin"] == "*"
    finally:
        for stub in front.stubs:
            stub.start()
    eventually(lambda: front.ask("GET", SYNC)[0] == 200)


@pytest.mark.parametrize("form", FORMS)
def test_whom_busy_processes_cannot_take_is_told_when_to_come_again(
    form: str, tmp_path: Any, stubs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "FEW", 1)
    monkeypatch.setattr(haproxy, "QUEUE_SECONDS", 1)
    writers = [stub for stub in stubs if stub.kind == "event_writer"]
    with fronted(form, tmp_path, stubs) as front, ThreadPoolExecutor(8) as threads:
        for stub in writers:
            stub.waits.clear()
        try:
            copies = [Front(form, front.port, stubs) for _ in range(8)]
            asked = [threads.submit(copy.ask, "PUT", send(f"!t{n}:b"), b"{}") for n, copy in enumerate(copies)]
            eventually(lambda: any(each.done() for each in asked))
        finally:
            for stub in writers:
                stub.waits.set()
        answers = [each.result() for each in asked]
    refused = [(said["errcode"], headers["retry-after"]) for status, said, headers in answers if status == 429]
    assert {status for status, _, _ in answers} == {200, 429}, json.dumps([each[1] for each in answers])
    assert set(refused) == {("M_LIMIT_EXCEEDED", "1")}


def test_haproxy_asks_the_owner_of_a_room_first(tmp_path: Any, stubs: Any) -> None:
    owners = Owners(tmp_path / "owners.map", tmp_path / "haproxy.sock")
    owners.path.write_text(empty_map())
    known = KnownOwners({}, owners.path, owners.commands)
    rooms = [f"!r{number}-_{number * 7919}:example.com" for number in range(20)]
    with fronted("haproxy", tmp_path, stubs, owners) as front:
        for names in (("event_writer1", "event_writer2"), ("event_writer2", "event_writer1")):
            known.found = {shard: names[shard % 2] for shard in range(ROOM.shards)}
            known.refresh()
            for room_id in rooms:
                owner = names[fresh_shard(ROOM, room_id) % 2]
                for way in (quote(room_id, safe=""), quote(room_id, safe="!"), room_id):
                    assert front.who("PUT", send(way))["name"] == owner
        known.found = dict.fromkeys(range(ROOM.shards), "event_writer9")
        known.refresh()
        assert {front.who("PUT", send(room_id))["name"] for room_id in rooms} == {"event_writer1", "event_writer2"}
        assert "event_writer9" in owners.path.read_text()


class KnownOwners(OwnersMap):
    """Owners that no database knows."""

    found: dict[int, str]

    def _owners(self) -> dict[int, str]:
        return self.found


def test_the_corpus_fills_templates() -> None:
    assert fill("/a/{room_id}/{state_key}", "!a:b") == "/a/%21a%3Ab/%40bob%3Aexample.com"
