"""What clients were answered, and how soon: every request of the load goes through here."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final

from tests.kit.client import Client

REPEAT_SECONDS: Final = 10.0
GIVE_UP_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.1


class GaveUp(Exception):
    """A request was repeated for far too long."""


@dataclass(frozen=True, slots=True)
class Done:
    """A request that was answered with success at last: when it was first asked, and what it took."""

    label: str
    began_s: float
    seconds: float
    refusals: int


@dataclass
class Ledger:
    """Answers, counted. `wrong` holds what no client should see, `broken` connections that ended without an answer,
    `slow` what took too long to succeed.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    patience_s: float = REPEAT_SECONDS
    is_over: threading.Event = field(default_factory=threading.Event)

    def until_ok(self, label: str, client: Client, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Ask until the answer is 200, as a client does that is told to come back. Raises GaveUp."""
        began_s = time.monotonic()
        refusals = 0
        while True:
            status, reply = self.once(label, client, method, path, body, **options)
            seconds = time.monotonic() - began_s
            if status == 200:
                self.done.append(Done(label, began_s, seconds, refusals))
                if refusals and seconds > self.patience_s:
                    self.slow.append(f"{label}: {seconds:.1f} s, {refusals} refusals")
                return reply
            refusals += 1
            if seconds > GIVE_UP_SECONDS:
                raise GaveUp(f"{label}: {status} {reply}")
            time.sleep(PAUSE_SECONDS)  # as a client does that is told to come back

    def once(self, label: str, client: Client, method: str, path: str, body: Any, **options: Any) -> tuple[int, Any]:
        """Ask once; status 0 if the connection broke."""
        try:
            status, headers, reply = client.exchange(method, path, body, timeout_seconds=40, **options)
        except (OSError, HTTPException) as error:
            self.statuses[f"{label} broken"] += 1
            self.broken.append(f"{label}: {type(error).__name__} {error}")
            return 0, None
        self.statuses[f"{label} {status}"] += 1
        if status != 200 and (status not in (429, 503) or headers["Retry-After"] is None):
            self.wrong.append(f"{label}: {status} {headers['Retry-After']} {reply}")
        return status, reply

    def refused(self) -> int:
        """How many answers told clients to come back."""
        return sum(count for name, count in self.statuses.items() if name.rpartition(" ")[2] in ("429", "503"))

    def took(self, label: str, since_s: float, share: float = 0.99) -> float:
        """Within how many seconds so large a share of the requests since a time were done."""
        seconds = sorted(done.seconds for done in self.done if done.label == label and done.began_s >= since_s)
        return seconds[min(len(seconds) - 1, int(share * len(seconds)))] if seconds else 0.0

    def longest(self, label: str, since_s: float) -> float:
        """The longest that one of these requests took since a time: how long a fail-over was felt."""
        return self.took(label, since_s, 1.0)
