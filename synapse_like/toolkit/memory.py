"""How the process uses memory: Python's garbage collector and the C library's allocator, as a server needs them."""

import ctypes
import gc
from typing import Final

YOUNG_OBJECTS: Final = 20_000
"""How many new objects there are when the young ones are looked at."""
_M_ARENA_MAX: Final = -8


def settle() -> None:
    """Say that the process has started: what stands now stays, and what comes is looked at less often.

    Hardly anything that requests leave behind is a circle, so nearly all of it goes without the collector. With
    Python's thresholds a request that waits outlives two looks and is then among the old, all of which are looked at
    again and again; measured in ``tests/bench/NOTES.md``.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 5, 10)


def share_one_arena() -> None:
    """Let all threads allocate in one place. By default glibc gives each its own, and what is free in one is no use to
    others. Our threads hold Python's lock nearly always when they allocate, and get nothing from being apart.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    except (AttributeError, OSError):  # another C library
        pass
