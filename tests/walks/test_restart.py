"""The server is killed, or stopped, in the middle of a stream of sends and started again (DESIGN.md 6.1)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any

import pytest

from tests.kit.client import V3, Client
from tests.kit.server import Server, server
from tests.walks.senders import Crowd, Sender

__all__ = ["server"]

SENDERS = 20
ROOMS = 4
ROUNDS = 2
BEFORE_TOKEN = 60
BEFORE_DEATH = 240


@pytest.mark.timeout(180)
def test_acknowledged_events_survive_kill9_once_and_in_order(server: Server) -> None:
    reader = server.register("reader")
    rooms = [reader.create_room(preset="public_chat") for _ in range(ROOMS)]
    senders = [_sender(server, f"sender{number}", rooms[number % ROOMS]) for number in range(SENDERS)]
    tokens = [reader.sync()["next_batch"]]
    for _ in range(ROUNDS):
        tokens.append(_send_until_end(server.kill9, senders, reader))
        server.start()
        for room_id in rooms:
            _check_stored(reader, room_id, [sender for sender in senders if sender.room_id == room_id])
        _check_repeats(senders)
        for token in tokens:
            _check_token(reader, token, rooms)
        for room_id in rooms:
            _check_new_send(reader, room_id)


@pytest.mark.timeout(180)
def test_a_stop_ends_a_stream_of_sends_and_a_long_poll_cleanly(server: Server) -> None:
    reader = server.register("reader")
    room_id = reader.create_room(preset="public_chat")
    senders = [_sender(server, f"sender{number}", room_id) for number in range(SENDERS)]
    exit_codes: list[int] = []
    with _long_poll(server.register("idler")):
        _send_until_end(lambda: exit_codes.append(server.stop()), senders, reader)
    assert exit_codes == [0]
    server.start()
    _check_stored(reader, room_id, senders)
    _check_repeats(senders)


@contextmanager
def _long_poll(client: Client) -> Iterator[None]:
    """Wait in /sync for what never comes; the server's end is the end of it: no reply, an empty one, or 503."""
    query = {"since": client.sync()["next_batch"], "timeout": 60_000}
    began = threading.Event()
    answers: list[tuple[int, Any]] = []

    def wait() -> None:
        began.set()
        with suppress(OSError, HTTPException):
            answers.append(client.request("GET", f"{V3}/sync", query=query))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    began.wait()
    yield
    waiting.join(30)
    assert not waiting.is_alive()
    assert [answer for answer in answers if answer[0] not in (200, 503)] == []


def _sender(server: Server, name: str, room_id: str) -> Sender:
    client = server.register(name)
    client.join(room_id)
    return Sender(client, room_id)


def _send_until_end(end: Callable[[], None], senders: list[Sender], reader: Client) -> str:
    """End the server in the middle of a stream of sends, and return a sync token from there."""
    crowd = Crowd(senders)
    crowd.wait_for(BEFORE_TOKEN)
    token = str(reader.sync()["next_batch"])
    crowd.wait_for(BEFORE_DEATH)
    end()
    crowd.join()
    assert crowd.surprises() == []
    assert all(sender.doubtful is not None for sender in senders)
    return token


def _check_stored(reader: Client, room_id: str, senders: list[Sender]) -> None:
    """Every acknowledged message is in the history, each message at most once, and each sender's in order."""
    messages = [event for event in reader.history(room_id) if event["type"] == "m.room.message"]
    for sender in senders:
        own = [event for event in messages if event["sender"] == sender.client.user_id]
        assert [event["content"]["body"] for event in own] == [sender.text(number) for number in range(len(own))]
        assert len(own) in (len(sender.acknowledged), sender.next_number)
        for number, event_id in sender.acknowledged.items():
            assert own[number]["event_id"] == event_id
    event_ids = [event["event_id"] for event in messages]
    assert len(set(event_ids)) == len(event_ids)


def _check_repeats(senders: list[Sender]) -> None:
    """A repeated transaction id returns the first event; what was in doubt is settled by repeating it."""
    for sender in senders:
        for number in (0, *list(sender.acknowledged)[-2:]):
            known = sender.acknowledged[number]
            assert sender.send(number) == known
        if sender.doubtful is not None:
            number = sender.doubtful
            assert sender.send(number) == sender.send(number)


def _check_token(reader: Client, token: str, rooms: list[str]) -> None:
    """A sync from an old token, its gaps filled, brings exactly what follows that token."""
    joined = reader.sync(since=token)["rooms"]["join"]
    for room_id in rooms:
        history = [event["event_id"] for event in reader.history(room_id)]
        timeline = joined[room_id]["timeline"]
        newest = [event["event_id"] for event in timeline["events"]]
        assert newest == history[-len(newest) :]
        assert timeline["limited"] or len(newest) < len(history)
        forward = [event["event_id"] for event in _forward(reader, room_id, token)]
        assert forward == history[-len(forward) :]
        assert len(forward) == len(newest) if not timeline["limited"] else len(forward) >= len(newest)
        gap = reader.messages(room_id, from_=timeline["prev_batch"], limit=5)["chunk"]
        before = history[: -len(newest)]
        assert [event["event_id"] for event in gap][::-1] == before[-5:]


def _forward(reader: Client, room_id: str, token: str) -> list[dict[str, str]]:
    """Page forward from a token to the end of the room."""
    events: list[dict[str, str]] = []
    at: str | None = token
    while at is not None:
        reply = reader.messages(room_id, dir="f", from_=at, limit=100)
        events += reply["chunk"]
        at = reply.get("end") if reply["chunk"] else None
    return events


def _check_new_send(reader: Client, room_id: str) -> None:
    """A new event follows the last one: it is the newest, and names the one before it as its only parent."""
    before = reader.messages(room_id, limit=1)["chunk"][0]["event_id"]
    token = reader.sync()["next_batch"]
    event_id = reader.send(room_id, "after the restart", f"after {before}")
    newest = reader.messages(room_id, limit=2)["chunk"]
    assert [event["event_id"] for event in newest] == [event_id, before]
    raw = {"next_batch": token}
    while "rooms" not in raw:  # the process that answers may hear of it a moment later
        raw = reader.sync(raw["next_batch"], timeout_ms=10_000, filter={"event_format": "federation"})
    events = raw["rooms"]["join"][room_id]["timeline"]["events"]
    assert [event["prev_events"] for event in events] == [[before]]
