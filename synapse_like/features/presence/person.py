"""The rules of presence for one user: what the clients say and do, and how the user is therefore seen.

All times are milliseconds of the steady clock. No clock is read here, and nobody is told. Source: client-server API,
"Presence".
"""

from dataclasses import dataclass, field
from typing import Any

ONLINE, UNAVAILABLE, OFFLINE = "online", "unavailable", "offline"


@dataclass(frozen=True, slots=True)
class Times:
    """How long what lasts, in milliseconds; see `config`."""

    active_ms: int
    online_ms: int
    idle_ms: int


@dataclass(frozen=True, slots=True)
class View:
    """How a user is seen. `active_at_ms` is when the user last did something, None if that is not known."""

    presence: str = OFFLINE
    status_msg: str | None = None
    is_active: bool = False
    active_at_ms: int | None = None

    def is_news_after(self, told: "View", times: Times) -> bool:
        """Whether those who were told `told` see a difference worth telling."""
        if (self.presence, self.status_msg, self.is_active) != (told.presence, told.status_msg, told.is_active):
            return True
        if self.is_active or self.active_at_ms is None:
            return False
        return told.active_at_ms is None or self.active_at_ms - told.active_at_ms >= times.active_ms


@dataclass(slots=True)
class _Device:
    """A client: as what it wants the user to be seen, how many polls are in progress, when the last one ended."""

    wish: str
    polls: int = 0
    ended_at_ms: int = 0

    def counts_until_ms(self, times: Times) -> int:
        return self.ended_at_ms + times.online_ms


@dataclass(slots=True)
class Person:
    """One user. `told` is what was told last; `is_new_to_a_room`: the members of a room have not been told at all."""

    devices: dict[str | None, _Device] = field(default_factory=dict)
    status_msg: str | None = None
    active_at_ms: int | None = None
    told: View = View()
    is_new_to_a_room: bool = False
    repeats_at_ms: int | None = None
    """When other servers want to hear again that the user is there."""

    def wish_of(self, device_id: str | None) -> str | None:
        """As what a client wants the user to be seen; None if the client has not been there lately."""
        device = self.devices.get(device_id)
        return device.wish if device else None

    def poll_began(self, device_id: str | None, wish: str, now_ms: int) -> None:
        """A client polls. To come back, by a new client or one that wished otherwise, is to do something."""
        if wish == ONLINE and self.wish_of(device_id) != ONLINE:
            self.active_at_ms = now_ms
        device = self.devices.setdefault(device_id, _Device(wish))
        device.wish = wish
        device.polls += 1

    def polls_on(self, device_id: str | None, wish: str, times: Times, now_ms: int) -> bool:
        """A client polls. If it has been there all the time and wishes as before, that is taken in here, and tells
        nobody anything new; otherwise it is no more than asked.
        """
        device = self.devices.get(device_id)
        if device is None or device.wish != wish or not _counts(device, times, now_ms):
            return False
        device.polls += 1
        return True

    def poll_ended(self, device_id: str | None, now_ms: int) -> None:
        """A poll of a client has been answered."""
        device = self.devices.get(device_id)
        if device is not None and device.polls > 0:
            device.polls -= 1
            device.ended_at_ms = now_ms

    def choose(self, device_id: str | None, wish: str, status_msg: str | None, now_ms: int) -> None:
        """The user sets presence and status: for all clients, until they say otherwise, and as one poll would."""
        self.status_msg = status_msg
        self.active_at_ms = now_ms
        for device in self.devices.values():
            device.wish = wish
        if wish != OFFLINE:
            self.devices.setdefault(device_id, _Device(wish)).ended_at_ms = now_ms

    def has_news(self, view: View, times: Times, now_ms: int) -> bool:
        """Whether somebody should be told that the user is seen like this: for the first time, otherwise, or still."""
        is_repeated = self.repeats_at_ms is not None and now_ms >= self.repeats_at_ms
        is_due = view.presence != OFFLINE and (self.is_new_to_a_room or is_repeated)
        return is_due or view.is_news_after(self.told, times)

    def forget_devices(self, times: Times, now_ms: int) -> None:
        """Forget clients that have been away for too long."""
        for device_id in [d for d, device in self.devices.items() if not _counts(device, times, now_ms)]:
            del self.devices[device_id]

    def view(self, times: Times, now_ms: int) -> View:
        """How the user is seen now."""
        wishes = {device.wish for device in self.devices.values() if _counts(device, times, now_ms)}
        age_ms = times.idle_ms if self.active_at_ms is None else now_ms - self.active_at_ms
        presence = OFFLINE
        if ONLINE in wishes and age_ms < times.idle_ms:
            presence = ONLINE
        elif wishes & {ONLINE, UNAVAILABLE}:
            presence = UNAVAILABLE
        return View(presence, self.status_msg, presence == ONLINE and age_ms < times.active_ms, self.active_at_ms)

    def changes_at_ms(self, times: Times, now_ms: int) -> int | None:
        """When the view changes by itself at the earliest; None if it stays as long as nothing happens."""
        moments = [device.counts_until_ms(times) for device in self.devices.values() if device.polls == 0]
        if self.active_at_ms is not None and self.devices:
            moments += [self.active_at_ms + times.active_ms, self.active_at_ms + times.idle_ms]
        return min((moment for moment in moments if moment > now_ms), default=None)


def _counts(device: _Device, times: Times, now_ms: int) -> bool:
    return device.polls > 0 or now_ms < device.counts_until_ms(times)


def content(presence: str, status_msg: str | None, is_active: bool, active_ago_ms: int | None) -> dict[str, Any]:
    """What clients are shown. Source: m.presence."""
    shown: dict[str, Any] = {"presence": presence}
    if active_ago_ms is not None:
        shown["last_active_ago"] = max(0, active_ago_ms)
    if status_msg is not None:
        shown["status_msg"] = status_msg
    if presence == ONLINE:
        shown["currently_active"] = is_active
    return shown
