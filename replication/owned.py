"""What has to run where a shard is owned: declared on a method, carried out by the composition root.

A method marked with `owned` works on one room or one user and appends to its log, so it must run in the process that
owns the shard. Marked methods are plain methods; a process that does not own everything replaces them, on the object
that it has built, by a twin of the same shape that asks who owns the shard and calls it there.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from replication.streams import Family

F = TypeVar("F", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__owned__"


@dataclass(frozen=True, slots=True)
class Owned:
    """The declaration. `by` names the parameter that picks the shard, or an attribute of one (``order.user_id``)."""

    family: Family
    by: str


def owned(family: Family, by: str) -> Callable[[F], F]:
    """Declare that a coroutine method runs where the shard of `by` is owned.

    Its parameters and its result cross processes: they must be of types that msgspec encodes and decodes (structs,
    frozen dataclasses, mappings of JSON, ids, numbers), as their annotations say. It may run again if ownership moves
    meanwhile, but only if its first append was refused.
    """

    def mark(function: F) -> F:
        if by.split(".")[0] not in inspect.signature(function).parameters:
            raise TypeError(f"{function.__qualname__} has no parameter {by}")
        setattr(function, _ATTRIBUTE, Owned(family, by))
        return function

    return mark


def owned_methods(kind: type) -> dict[str, Owned]:
    """The marked methods of a class, by name."""
    found = {}
    for name, member in inspect.getmembers(kind, inspect.isfunction):
        if (declaration := getattr(member, _ATTRIBUTE, None)) is not None:
            found[name] = declaration
    return found
