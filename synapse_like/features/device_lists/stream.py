"""The streams of changed lists of devices, and of signatures that only their maker sees."""

from collections.abc import Sequence

from replication.ports import Transaction
from replication.streams import SHORT_BYTES, Fact, Storage, Stream
from synapse_like.features.device_lists import sql
from synapse_like.rooms.families import USER


class DeviceListFact(Fact):
    """The keys that others see of a user have changed: of one device, or (`device_id` empty) the cross-signing keys.

    `rooms` are those that the user had joined: their members hear of it. `previous` is the number of the fact before
    it of the same user, 0 if there was none, filled in by the transaction that stores the fact.
    """

    user_id: str
    device_id: str
    rooms: tuple[str, ...]
    is_deleted: bool = False
    changed_ms: int = 0
    previous: int = 0


class SignedUsersFact(Fact):
    """A user has signed the master keys of others: a matter between the user's own devices."""

    user_id: str
    signed: tuple[str, ...]


DEVICE_LISTS: Stream[DeviceListFact] = Stream(
    "device_lists", USER, DeviceListFact, key="user_id", wakes=("user_id", "rooms")
)
SIGNED_USERS: Stream[SignedUsersFact] = Stream("signed_users", USER, SignedUsersFact, key="user_id")


_ID_BYTES = 100


def _store_changes(transaction: Transaction, facts: Sequence[DeviceListFact]) -> None:
    newest = dict(sql.versions(transaction, sorted({fact.user_id for fact in facts})))
    for fact in facts:
        fact.previous = newest.get(fact.user_id, 0)
        newest[fact.user_id] = fact.number
    rows = {(f.user_id, f.device_id): (f.number, int(f.is_deleted), f.changed_ms) for f in facts}
    sql.store_changes(transaction, [(*key, *row) for key, row in rows.items()])


def _load_changes(transaction: Transaction, after: int, upto: int) -> list[DeviceListFact]:
    rows = sql.changes_between(transaction, after, upto)
    rooms = sql.joined_rooms(transaction, sorted({user_id for user_id, *_ in rows}))
    return [
        DeviceListFact(
            number=number,
            user_id=user_id,
            device_id=device_id,
            rooms=tuple(rooms.get(user_id, ())),
            is_deleted=bool(is_deleted),
            changed_ms=changed_ms,
        )
        for user_id, device_id, number, is_deleted, changed_ms in rows
    ]


def _store_signed(transaction: Transaction, facts: Sequence[SignedUsersFact]) -> None:
    rows = {(fact.user_id, signed): fact.number for fact in facts for signed in fact.signed}
    sql.store_signed(transaction, [(*key, number) for key, number in rows.items()])


def _load_signed(transaction: Transaction, after: int, upto: int) -> list[SignedUsersFact]:
    found: dict[tuple[int, str], list[str]] = {}
    for user_id, signed, number in sql.signed_between(transaction, after, upto):
        found.setdefault((number, user_id), []).append(signed)
    return [
        SignedUsersFact(number=number, user_id=user_id, signed=tuple(signed))
        for (number, user_id), signed in found.items()
    ]


STORAGES = (
    Storage(DEVICE_LISTS, _store_changes, _load_changes, weigh=lambda fact: SHORT_BYTES + _ID_BYTES * len(fact.rooms)),
    Storage(SIGNED_USERS, _store_signed, _load_signed, weigh=lambda fact: SHORT_BYTES + _ID_BYTES * len(fact.signed)),
)
