"""Senders that write numbered messages as fast as they can until their server dies, and what they know then."""

import threading
import time
from http.client import HTTPException
from itertools import count

from tests.kit.client import Client, try_send


class Sender:
    """One user who sends "name 0", "name 1", ... to one room; the transaction id of a message is its number."""

    def __init__(self, client: Client, room_id: str) -> None:
        self.client = client
        self.room_id = room_id
        self.acknowledged: dict[int, str] = {}
        self.doubtful: int | None = None
        self.surprise: object = None

    @property
    def next_number(self) -> int:
        """The number of the first message that was never sent."""
        return len(self.acknowledged) + (self.doubtful is not None)

    def text(self, number: int) -> str:
        """The body of a message."""
        return f"{self.client.user_id} {number}"

    def send(self, number: int) -> str:
        """Send a message, perhaps again, and remember it as acknowledged."""
        status, reply = try_send(self.client, self.room_id, self.text(number), str(number))
        assert status == 200, f"{self.text(number)}: {status} {reply}"
        self.acknowledged[number] = reply["event_id"]
        if self.doubtful == number:
            self.doubtful = None
        return str(reply["event_id"])

    def send_until_death(self) -> None:
        """Send on until a connection breaks; that message is doubtful. Anything but 200 before is a surprise."""
        for number in count(self.next_number):
            try:
                self.send(number)
            except (OSError, HTTPException):
                self.doubtful = number
                return
            except Exception as error:
                self.surprise = error
                return


class Crowd:
    """Senders at work, each in a thread of its own."""

    def __init__(self, senders: list[Sender]) -> None:
        self._senders = senders
        self._threads = [threading.Thread(target=sender.send_until_death, daemon=True) for sender in senders]
        self._began = self.acknowledged
        for thread in self._threads:
            thread.start()

    @property
    def acknowledged(self) -> int:
        """How many messages the server has acknowledged to all of them."""
        return sum(len(sender.acknowledged) for sender in self._senders)

    def wait_for(self, messages: int, timeout_seconds: float = 60) -> None:
        """Wait until so many messages were acknowledged since the crowd began."""
        deadline = time.monotonic() + timeout_seconds
        while self.acknowledged - self._began < messages:
            assert time.monotonic() < deadline, f"only {self.acknowledged - self._began} of {messages} were sent"
            assert all(sender.surprise is None for sender in self._senders), self.surprises()
            time.sleep(0.005)

    def join(self) -> None:
        """Wait until everybody has noticed that the server is dead."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def surprises(self) -> list[object]:
        """What happened that should not."""
        return [sender.surprise for sender in self._senders if sender.surprise is not None]
