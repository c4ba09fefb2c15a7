"""What can go wrong between us and the database, in our own words; the drivers' exceptions stay in the engines."""

from replication.ports import OutcomeUnknown, Unavailable


class DatabaseError(Exception):
    """A statement failed for a reason that repeating it does not mend."""


class IntegrityViolated(DatabaseError):
    """A unique or foreign key says no: somebody else was first."""


class Unstorable(DatabaseError):
    """A value has no form in the database: an integer beyond 64 bits, half a character, NUL in PostgreSQL's text."""


class DatabaseUnavailable(DatabaseError, Unavailable):
    """The connection broke, or the engine asked to repeat (serialisation failure, dead lock, busy) too often."""


class Repeatable(DatabaseUnavailable):
    """This attempt failed and left nothing behind; the same transaction may be run again."""


class CommitUnknown(DatabaseError, OutcomeUnknown):
    """The connection broke while COMMIT was under way: it may or may not have happened."""
