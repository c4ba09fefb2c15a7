"""The load: senders, readers with long polls, people who come and go, account data, receipts; each in its thread."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote

from tests.faults.ledger import GaveUp, Ledger
from tests.kit.client import V3, Client
from tests.kit.sync_client import SyncClient

POLL_MS: Final = 5_000
SEND_PAUSE_SECONDS: Final = 0.05
OTHER_PAUSE_SECONDS: Final = 0.1


class Sender:
    """Sends "<user> 0", "<user> 1", ... to one room; a message's transaction id is its number."""

    def __init__(self, client: Client, room_id: str) -> None:
        self.client = client
        self.room_id = room_id
        self.acknowledged: list[str] = []

    def step(self, ledger: Ledger) -> None:
        """Send the next message, until it is acknowledged."""
        number = len(self.acknowledged)
        path = f"{V3}/rooms/{quote(self.room_id, safe='')}/send/m.room.message/{number}"
        body = {"msgtype": "m.text", "body": f"{self.client.user_id} {number}"}
        reply = ledger.until_ok("send", self.client, "PUT", path, body)
        self.acknowledged.append(reply["event_id"])
        ledger.is_over.wait(SEND_PAUSE_SECONDS)


class Reader:
    """Follows all rooms by long polls, and keeps what it is told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.view = SyncClient(None, client.token or "")  # type: ignore[arg-type]
        self.tokens: list[str] = []

    def step(self, ledger: Ledger) -> None:
        """One long poll."""
        self.take(ledger, POLL_MS)

    def take(self, ledger: Ledger, timeout_ms: int = 0) -> Any:
        """One sync; the response."""
        query = {"timeout": timeout_ms, "set_presence": "offline"}
        if self.view.since is not None:
            query["since"] = self.view.since
        reply = ledger.until_ok("sync", self.client, "GET", f"{V3}/sync", query=query)
        self.view.take(reply)
        self.tokens.append(reply["next_batch"])
        return reply


class Walker:
    """Joins and leaves rooms in turn; `is_in` tells of which rooms it was told last that it is in them."""

    def __init__(self, client: Client, room_ids: Sequence[str]) -> None:
        self.client = client
        self.room_ids = room_ids
        self.is_in: dict[str, bool] = {}
        self._steps = 0

    def step(self, ledger: Ledger) -> None:
        """Join the next room, or leave it."""
        room_id = self.room_ids[self._steps % len(self.room_ids)]
        what = "leave" if self.is_in.get(room_id) else "join"
        ledger.until_ok(what, self.client, "POST", f"{V3}/rooms/{quote(room_id, safe='')}/{what}", {})
        self.is_in[room_id] = what == "join"
        self._steps += 1
        ledger.is_over.wait(OTHER_PAUSE_SECONDS)


class Keeper:
    """Writes account data, and receipts for what its companions have sent."""

    def __init__(self, client: Client, senders: Sequence[Sender]) -> None:
        self.client = client
        self.written = -1
        self.read: dict[str, str] = {}
        self._senders = senders

    def step(self, ledger: Ledger) -> None:
        """Write the next value, and say that the newest message is read."""
        value = self.written + 1
        path = f"{V3}/user/{quote(self.client.user_id)}/account_data/example.counter"
        ledger.until_ok("account data", self.client, "PUT", path, {"value": value})
        self.written = value
        sender = self._senders[value % len(self._senders)]
        if sender.acknowledged:
            event_id = sender.acknowledged[-1]
            where = f"{V3}/rooms/{quote(sender.room_id, safe='')}/receipt/m.read/{quote(event_id, safe='')}"
            ledger.until_ok("receipt", self.client, "POST", where, {})
            self.read[sender.room_id] = event_id
        ledger.is_over.wait(OTHER_PAUSE_SECONDS)


class Load:
    """All of them at work, until `stop`."""

    def __init__(self, ledger: Ledger, workers: Sequence[Any]) -> None:
        self.ledger = ledger
        self.workers = workers
        self.surprises: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(each.step,), daemon=True) for each in workers]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let everybody finish what they have begun."""
        self.ledger.is_over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "somebody still waits for an answer"
        assert not self.surprises, self.surprises

    def wait_for_more(self, messages: int, timeout_s: float = 30.0) -> None:
        """Wait until every sender has so many more messages acknowledged."""
        senders = [worker for worker in self.workers if isinstance(worker, Sender)]
        goals = [(sender, len(sender.acknowledged) + messages) for sender in senders]
        deadline = time.monotonic() + timeout_s
        while late := [sender for sender, goal in goals if len(sender.acknowledged) < goal]:
            assert not self.surprises, self.surprises
            assert time.monotonic() < deadline, f"{len(late)} senders are stuck: {self.ledger.statuses}"
            time.sleep(0.02)

    def _run(self, step: Callable[[Ledger], None]) -> None:
        try:
            while not self.ledger.is_over.is_set():
                step(self.ledger)
        except GaveUp as error:
            self.surprises.append(error)
        except BaseException as error:
            self.surprises.append(error)
            raise
