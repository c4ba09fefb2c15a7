"""Errors that cross processes: what a call failed with at the owner is raised again where it was made."""

from collections.abc import Iterator
from typing import Any

import msgspec

from replication.calls import CallFailed
from replication.calls.errors import MOVED
from replication.shards import NotOwned
from synapse_like.matrix.errors import MatrixError, Unavailable
from synapse_like.toolkit.outages import OUTAGES

MATRIX, OUTAGE = "matrix", "outage"


def failure_of(error: BaseException) -> tuple[str, bytes] | None:
    """(kind, body) of what callers are told; None for a fault."""
    if isinstance(error, NotOwned):
        return MOVED, msgspec.msgpack.encode((error.family, error.shard))
    if isinstance(error, MatrixError):
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        fields = {key: value for key, value in vars(error).items() if not key.startswith("__")}
        return MATRIX, msgspec.msgpack.encode((name, fields), enc_hook=str)
    if isinstance(error, OUTAGES):
        return OUTAGE, str(error).encode()
    return None


def raised_of(failed: CallFailed) -> Exception:
    """The exception that a failed call stands for."""
    if failed.kind == MOVED:
        return NotOwned(*msgspec.msgpack.decode(failed.body, type=tuple[str, int]))
    if failed.kind == MATRIX:
        name, fields = msgspec.msgpack.decode(failed.body, type=tuple[str, dict[str, Any]])
        return _matrix_error(name, fields)
    return Unavailable()


def _matrix_error(name: str, fields: dict[str, Any]) -> MatrixError:
    """An error of the tree by its name; one that this release does not know is an outage."""
    for kind in _tree(MatrixError):
        if f"{kind.__module__}.{kind.__qualname__}" == name:
            error = kind.__new__(kind)
            error.__dict__.update(fields)
            error.args = (fields.get("message", ""),)
            return error
    return Unavailable()


def _tree(kind: type[MatrixError]) -> Iterator[type[MatrixError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
