"""Whether a database has been asked something that it has not answered yet."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from synapse_like.toolkit.db import Database


class Traffic:
    """What is under way in the lanes of one database, from submission to the answer on the reactor's thread."""

    def __init__(self, database: Any) -> None:
        self._under_way = 0
        submit, commit = database._submit, database.commit
        # not `read` and `write`, which tests replace in the class
        database._submit = lambda lane, function: self._answer(submit(lane, function))

        def counted_commit(
            function: Callable[[Any], Any], on_done: Callable[[Any], None], on_failed: Callable[[BaseException], None]
        ) -> None:
            self._under_way += 1
            commit(function, lambda result: on_done(self._answered(result)), lambda e: on_failed(self._answered(e)))

        database.commit = counted_commit

    @classmethod
    def of(cls, database: Database) -> "Traffic":
        """The one counter of a database."""
        if database not in _COUNTERS:
            _COUNTERS[database] = cls(database)
        return _COUNTERS[database]

    @property
    def is_under_way(self) -> bool:
        """Whether something is not answered."""
        return self._under_way > 0

    def _answer(self, answer: Any) -> Any:
        self._under_way += 1
        return answer.addBoth(self._answered)

    def _answered(self, result: Any) -> Any:
        self._under_way -= 1
        return result


_COUNTERS: WeakKeyDictionary[Database, Traffic] = WeakKeyDictionary()
