"""PostgreSQL cuts its connections, or lets nobody in for a while, under load (DESIGN.md 6.1).

Clients are told 503 and try again; then everything is there once, in order, and nobody had to restart anything.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.kit import postgres
from tests.kit.client import V3, Client, try_send
from tests.kit.server import Server, watched

SENDERS = 8
CUTS = 25
OUTAGE_SECONDS = 4.0
RECOVERY_SECONDS = 5.0
NAME = "Renamed in an outage"


@pytest.fixture
def dsn() -> dict[str, Any]:
    return postgres.create_database()


@pytest.fixture
def server(dsn: dict[str, Any], tmp_path: Path) -> Iterator[Server]:
    database = {"name": "psycopg2", "args": {**dsn, "cp_min": 2, "cp_max": 5}}
    with watched(Server(tmp_path, database)) as running:
        yield running


class Sender:
    """Sends numbered messages, each until it is acknowledged, and counts the statuses."""

    def __init__(self, client: Client, room_id: str) -> None:
        self.client = client
        self.room_id = room_id
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.is_done = threading.Event()
        self.thread = threading.Thread(target=self._send_all, daemon=True)
        self.thread.start()

    def _send_all(self) -> None:
        while not self.is_done.is_set():
            number = len(self.acknowledged)
            status, reply = try_send(self.client, self.room_id, str(number), f"m{number}")
            self.statuses[status] += 1
            if status == 200:
                self.acknowledged.append(reply["event_id"])
            elif status != 503:
                return
            else:
                self.is_done.wait(0.05)


class Administrator:
    """Who can end the sessions of a database, and close its door."""

    def __init__(self, dsn: dict[str, Any]) -> None:
        self._name = dsn["dbname"]
        self._connection = psycopg2.connect(**{**dsn, "dbname": "postgres"})
        self._connection.autocommit = True

    def cut(self) -> None:
        """End every session of the database."""
        self._run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", self._name)

    def lock_out(self, is_out: bool) -> None:
        """Let nobody in, or everybody again."""
        self._run(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS {'false' if is_out else 'true'}")

    def _run(self, statement: str, *values: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)


@pytest.mark.timeout(120)
def test_cut_connections_lose_nothing(server: Server, dsn: dict[str, Any]) -> None:
    administrator = Administrator(dsn)

    def cut_often() -> None:
        for _ in range(CUTS):
            administrator.cut()
            time.sleep(0.08)  # how often it is cut, not a wait for anything

    _check_survives(server, cut_often)


@pytest.mark.timeout(120)
def test_a_database_that_is_away_is_waited_for(server: Server, dsn: dict[str, Any]) -> None:
    administrator = Administrator(dsn)

    def close_the_door() -> None:
        administrator.lock_out(True)
        administrator.cut()
        time.sleep(OUTAGE_SECONDS)  # the outage itself
        administrator.lock_out(False)

    senders = _check_survives(server, close_the_door)
    assert any(sender.statuses[503] for sender in senders)


def _check_survives(server: Server, harm: Callable[[], None]) -> list[Sender]:
    """Do harm under load; sends, syncs and new rooms work within seconds of its end, and nothing is lost."""
    reader = server.register("reader")
    room_ids = [reader.create_room(preset="public_chat") for _ in range(2)]
    since = reader.sync()["next_batch"]
    with _sending(server, room_ids) as senders:
        _wait_for_more(senders, 20)
        named = threading.Thread(target=_rename_until_ok, args=(reader,), daemon=True)
        named.start()
        harm()
        began = time.monotonic()
        _wait_for_more(senders, 20)
        _until_ok(reader, "GET", f"{V3}/sync", query={"since": since, "timeout": 0})
        _until_ok(reader, "POST", f"{V3}/createRoom", {})
        named.join(RECOVERY_SECONDS)
        assert time.monotonic() - began < RECOVERY_SECONDS
    assert all(_name_in(reader, room_id) == NAME for room_id in room_ids)
    assert set().union(*(sender.statuses for sender in senders)) <= {200, 503}
    for number, room_id in enumerate(room_ids):
        _check_stored(reader, room_id, senders[number::2])
    return senders


def _rename_until_ok(client: Client) -> None:
    """Change a name, which all rooms are then told of in the background."""
    path = f"{V3}/profile/{client.user_id}/displayname"
    while client.request("PUT", path, {"displayname": NAME})[0] != 200:
        time.sleep(0.05)


def _name_in(client: Client, room_id: str) -> object:
    """The client's name in a room, once the room has been told of one."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    path = f"{V3}/rooms/{room_id}/state/m.room.member/{client.user_id}"
    while (name := client.call("GET", path).get("displayname")) != NAME and time.monotonic() < deadline:
        time.sleep(0.05)
    return name


@contextmanager
def _sending(server: Server, room_ids: list[str]) -> Iterator[list[Sender]]:
    clients = [server.register(f"sender{number}") for number in range(SENDERS)]
    for number, client in enumerate(clients):
        client.join(room_ids[number % 2])
    senders = [Sender(client, room_ids[number % 2]) for number, client in enumerate(clients)]
    try:
        yield senders
    finally:
        for sender in senders:
            sender.is_done.set()
        for sender in senders:
            sender.thread.join(30)
            assert not sender.thread.is_alive()


def _wait_for_more(senders: list[Sender], messages: int) -> None:
    """Wait until every sender has got so many more acknowledged."""
    goals = [len(sender.acknowledged) + messages for sender in senders]
    deadline = time.monotonic() + 30
    while any(len(sender.acknowledged) < goal for sender, goal in zip(senders, goals, strict=True)):
        assert all(sender.thread.is_alive() for sender in senders), [sender.statuses for sender in senders]
        assert time.monotonic() < deadline, [sender.statuses for sender in senders]
        time.sleep(0.01)


def _until_ok(client: Client, method: str, path: str, body: Any = None, **options: Any) -> None:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while (status := client.request(method, path, body, **options)[0]) != 200:
        assert status == 503
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _check_stored(reader: Client, room_id: str, senders: list[Sender]) -> None:
    """Each sender's messages are there once and in order; the last may be stored but not acknowledged."""
    events = [event for event in reader.history(room_id) if event["type"] == "m.room.message"]
    for sender in senders:
        own = [event for event in events if event["sender"] == sender.client.user_id]
        assert [event["content"]["body"] for event in own] == [str(number) for number in range(len(own))]
        assert [event["event_id"] for event in own[: len(sender.acknowledged)]] == sender.acknowledged
        assert len(own) - len(sender.acknowledged) in (0, 1)
