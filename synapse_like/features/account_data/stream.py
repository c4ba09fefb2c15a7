"""The stream `account_data`: one fact per thing that is stored or deleted."""

from replication.streams import SHORT_BYTES, Fact, Storage, Stream
from synapse_like.features.account_data import sql
from synapse_like.rooms.families import USER


class AccountDataFact(Fact):
    """A user's data of one type, as of now. `content` is JSON, `{}` if it was deleted."""

    user_id: str
    room_id: str
    """Empty: global."""
    type: str
    content: str
    is_deleted: bool = False


ACCOUNT_DATA = Stream("account_data", USER, AccountDataFact, key="user_id")


def storage() -> Storage[AccountDataFact]:
    """How the facts are stored: the newest of each user, room and type."""
    return Storage(
        ACCOUNT_DATA,
        lambda txn, facts: sql.store(txn, [_row(fact) for fact in facts]),
        lambda txn, after, upto: [_fact(row) for row in sql.between(txn, after, upto)],
        weigh=lambda fact: SHORT_BYTES + len(fact.content),
    )


def _row(fact: AccountDataFact) -> sql.Stored:
    return fact.user_id, fact.room_id, fact.type, fact.number, fact.content, int(fact.is_deleted)


def _fact(row: sql.Stored) -> AccountDataFact:
    user_id, room_id, kind, number, content, is_deleted = row
    return AccountDataFact(
        number=number, user_id=user_id, room_id=room_id, type=kind, content=content, is_deleted=bool(is_deleted)
    )
