"""A plugin for pytest that makes the database slow now and then: a test that counts on its being quick fails.

``python3 -m tests -p tests.kit.slow_database tests/synapse_like``; processes that tests start are as quick as ever.
"""

import random
import time
from collections.abc import Callable
from typing import Any

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.lanes import Lane

_PAUSES_S = random.Random(1)
_submit = Lane.submit


def _pause() -> None:
    """One time in fifty a long pause, one time in six a short one."""
    chance = _PAUSES_S.random()
    if chance < 1 / 6:
        time.sleep(0.3 if chance < 1 / 50 else 0.02)


def _submit_slowly(
    lane: Lane,
    transaction: Callable[[Transaction], Any],
    on_done: Callable[[Any], None],
    on_failed: Callable[..., None],
) -> None:
    def slow(given: Transaction) -> Any:
        _pause()
        result = transaction(given)
        _pause()
        return result

    _submit(lane, slow, on_done, on_failed)


Lane.submit = _submit_slowly  # type: ignore[method-assign, assignment]
