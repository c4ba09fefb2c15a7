"""Whose time comes when: every key once, at its earliest time, rounded up to steps."""

from collections.abc import Sequence


class Agenda:
    """Keys with a time, in steps of `step_ms`."""

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self._step_of: dict[str, int] = {}
        self._keys_at: dict[int, set[str]] = {}

    def plan(self, key: str, at_ms: int) -> None:
        """Note that a key's time comes; if there is an earlier one, that one stays."""
        step = -(-at_ms // self._step_ms)
        known = self._step_of.get(key)
        if known is not None:
            if known <= step:
                return
            self._remove(key, known)
        self._step_of[key] = step
        self._keys_at.setdefault(step, set()).add(key)

    def take(self, now_ms: int) -> Sequence[str]:
        """The keys whose time has come; they are off the agenda."""
        steps = sorted(step for step in self._keys_at if step * self._step_ms <= now_ms)
        keys = [key for step in steps for key in sorted(self._keys_at.pop(step))]
        for key in keys:
            del self._step_of[key]
        return keys

    def __len__(self) -> int:
        return len(self._step_of)

    def _remove(self, key: str, step: int) -> None:
        keys = self._keys_at[step]
        keys.discard(key)
        if not keys:
            del self._keys_at[step]
