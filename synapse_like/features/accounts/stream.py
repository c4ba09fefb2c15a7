"""The stream of accounts: made, closed, locked, made administrator."""

from replication.streams import Storage, Stream
from synapse_like.features.accounts import sql
from synapse_like.features.accounts.facts import AccountFact
from synapse_like.rooms.families import USER

ACCOUNTS: Stream[AccountFact] = Stream("accounts", USER, AccountFact, key="user_id")

STORAGE: Storage[AccountFact] = Storage(ACCOUNTS, sql.store, sql.load)
