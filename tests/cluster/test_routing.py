"""Every URL of every endpoint, through the real proxy to the real processes: which kind answered."""

import http.client
import re
from pathlib import Path

import pytest

from synapse_like.rooms.families import ROOM, fresh_shard
from tests.kit.cluster import Cluster
from tests.kit.processes import PROXY
from tests.kit.server import watched
from tests.workers.routes.corpus import corpus
from tests.workers.supervisor.running import eventually
from workers.kinds import KINDS
from workers.map import endpoints

_LINE = re.compile(r" matrix (\w+)/(\w+) .* (\S+) (\S+)$")
FIRST = ("GET", "/here/it/begins")
EACH_ONCE = {kind.name: 1 for kind in KINDS if kind.serves_requests}


@pytest.mark.timeout(300)
def test_the_kind_that_a_url_is_for_answers_it(tmp_path: Path) -> None:
    urls = list(corpus(endpoint for _, endpoint in endpoints()))
    with watched(Cluster(tmp_path, "tcp", EACH_ONCE)) as server:
        assert isinstance(server, Cluster)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        statuses = []
        for method, target in [FIRST, *((url.method, url.target) for url in urls)]:
            connection.request(method, target, None, {"Content-Length": "0"})
            reply = connection.getresponse()
            reply.read()
            statuses.append(reply.status)
        eventually(lambda: len(_answers(server)) == len(urls))
        answers = _answers(server)
    assert [path for _, _, path in answers] == [url.target.partition("?")[0] for url in urls]
    wrong = [(url, kind) for url, (kind, _, _) in zip(urls, answers, strict=True) if kind != url.kind.name]
    assert wrong == []
    assert {status for status in statuses if status >= 500} <= {501, 502}, sorted(set(statuses))
    assert {kind for kind, _, _ in answers} == set(EACH_ONCE) - {"main"}


@pytest.mark.timeout(300)
def test_what_is_sent_to_a_room_goes_to_the_process_that_owns_it(tmp_path: Path) -> None:
    with watched(Cluster(tmp_path, "tcp", {"event_writer": 2, "sync": 1, "client": 1})) as server:
        assert isinstance(server, Cluster)
        alice = server.register("alice")
        rooms = [alice.create_room() for _ in range(12)]
        owners = {room_id: f"event_writer{n % 2}" for n, room_id in enumerate(rooms)}

        def is_settled() -> bool:
            nonlocal owners
            text = (tmp_path / "owners.map").read_text()
            by_shard = dict(line.split() for line in text.splitlines())
            owners = {room_id: by_shard[str(fresh_shard(ROOM, room_id))] for room_id in rooms}
            return set(by_shard.values()) == {"event_writer1", "event_writer2"}

        eventually(is_settled)
        for room_id in rooms:
            alice.send(room_id, "hello", "1")
        eventually(lambda: len(_senders(server)) == len(rooms))
        assert _senders(server) == [owners[room_id] for room_id in rooms]


def _senders(server: Cluster) -> list[str]:
    """Which process each send went to."""
    found = (_LINE.search(line) for line in server.log_of(PROXY).splitlines())
    return [line[2] for line in found if line and "/send/" in line[4]]


def _answers(server: Cluster) -> list[tuple[str, str, str]]:
    """The backend, method and path of every request after the first that the proxy has passed on, in order."""
    found = (_LINE.search(line) for line in server.log_of(PROXY).splitlines())
    answers = [(line[1], line[3], line[4]) for line in found if line]
    methods_and_paths = [answer[1:] for answer in answers]
    return answers[methods_and_paths.index(FIRST) + 1 :] if FIRST in methods_and_paths else []
