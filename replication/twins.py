"""Twins: what stands in for a method marked `owned` in a process that does not own everything.

A twin has the shape of the method. If the shard is owned here it runs the method; else it calls the owner. Ownership
may move meanwhile: then the call is made again, until its time is over.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, get_type_hints

import msgspec

from replication.owned import owned_methods
from replication.shards import NotOwned


class Remote(Protocol):
    """Carries a call to the owner of a shard."""

    def is_here(self, family: str, key: str) -> bool:
        """Whether it is in memory that the shard of `key` is owned here."""
        ...

    async def at_owner(
        self, family: str, key: str, here: Callable[[], Awaitable[Any]], method: str, body: Callable[[], bytes]
    ) -> bytes | Any:
        """Run `here` if the shard of `key` is owned here; else call `method` where it is, and give the bytes of its
        result wrapped in `RemoteResult`.
        """
        ...


class RemoteResult(msgspec.Struct):
    """The bytes of a result from elsewhere."""

    data: bytes


class Twin:
    """One method of one object."""

    def __init__(self, thing: object, name: str, family: str, by: str) -> None:
        self.method = f"{type(thing).__qualname__}.{name}"
        self.family = family
        self.original: Callable[..., Awaitable[Any]] = getattr(thing, name)
        """The method itself."""
        self._signature = inspect.signature(self.original)
        self._parameter, _, self._attribute = by.partition(".")
        hints = get_type_hints(getattr(type(thing), name))
        self._result = hints.pop("return", None)
        self._names = list(self._signature.parameters)
        self._place = self._names.index(self._parameter)
        self._types: list[Any] = [hints[each] for each in self._names]

    def key_of(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """What picks the shard. Asked at every call, so without `inspect`."""
        value = args[self._place] if self._place < len(args) else kwargs[self._parameter]
        return str(getattr(value, self._attribute) if self._attribute else value)

    def encode(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """The arguments as they cross, with defaults filled in."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return msgspec.msgpack.encode([bound.arguments[name] for name in self._names], enc_hook=_plain)

    def decode_result(self, data: bytes) -> Any:
        """The result of the call."""
        return msgspec.msgpack.decode(data, type=self._result) if self._result is not None else None

    async def run(self, data: bytes, check: Callable[[str, str], Awaitable[None]]) -> bytes:
        """Carry a call of another process out; `check` (family, key) raises NotOwned if it does not belong here."""
        raws = msgspec.msgpack.decode(data, type=list[msgspec.Raw])
        values = [msgspec.msgpack.decode(raw, type=kind) for raw, kind in zip(raws, self._types, strict=False)]
        arguments = dict(zip(self._names, values, strict=False))
        await check(self.family, self.key_of((), arguments))
        result = await self.original(**arguments)
        return msgspec.msgpack.encode(result, enc_hook=_plain)


def twins_of(thing: object) -> list[tuple[str, Twin]]:
    """A twin for each marked method of an object, by its name."""
    return [
        (name, Twin(thing, name, declaration.family.name, declaration.by))
        for name, declaration in owned_methods(type(thing)).items()
    ]


def give_twins(thing: object, remote: Remote) -> dict[str, Twin]:
    """Put twins in the place of the marked methods of an object; those that others may call, by method."""
    found = {}
    for name, twin in twins_of(thing):
        setattr(thing, name, _standing_in(twin, remote))
        found[twin.method] = twin
    return found


def _standing_in(twin: Twin, remote: Remote) -> Callable[..., Awaitable[Any]]:
    async def stand_in(*args: Any, **kwargs: Any) -> Any:
        key = twin.key_of(args, kwargs)
        if remote.is_here(twin.family, key):  # as nearly always: requests are sent to owners
            try:
                return await twin.original(*args, **kwargs)
            except NotOwned:
                pass  # it moved meanwhile, and nothing was done
        result = await remote.at_owner(
            twin.family, key, lambda: twin.original(*args, **kwargs), twin.method, lambda: twin.encode(args, kwargs)
        )
        return twin.decode_result(result.data) if isinstance(result, RemoteResult) else result

    return stand_in


def _plain(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} does not cross processes")


__all__ = ["NotOwned", "Remote", "RemoteResult", "Twin", "give_twins"]
