"""How a feature declares its part of homeserver.yaml: a frozen dataclass whose fields are keys.

    @dataclass(frozen=True)
    class PresenceConfig:
        '''Who is online.'''

        presence: Presence = option(Presence(), "Whether and how the server tells who is online.")

A nested mapping is a nested frozen dataclass; the default instance fills in what the file leaves out. A field of type
``Secret`` is also read from the file that its twin key (``..._path``) names. A section may have a method
``check(self) -> Iterator[tuple[str, str]]`` that yields (key, what is wrong) for rules between keys.
"""

import dataclasses
import inspect
import types
import typing
from dataclasses import MISSING, dataclass, field
from functools import cache
from typing import Any

from synapse_like.toolkit.config.values import Secret

_DOC = "doc"


def option(default: Any, doc: str) -> Any:
    """Declare a key with its default and the sentence that documents it. The default may be a list or mapping."""
    if isinstance(default, list | dict | set):
        return field(default_factory=lambda: type(default)(default), metadata={_DOC: doc})
    return field(default=default, metadata={_DOC: doc})


def required(doc: str) -> Any:
    """Declare a key that has no default."""
    return field(metadata={_DOC: doc})


@dataclass(frozen=True, slots=True)
class Option:
    """One declared key: ``kind`` is its type, ``default`` is MISSING if the key must be set."""

    name: str
    kind: Any
    default: Any
    doc: str

    @property
    def is_secret(self) -> bool:
        """Whether the key has a ``_path`` twin."""
        return Secret in (self.kind, *typing.get_args(self.kind))

    @property
    def is_required(self) -> bool:
        """Whether the file must set the key."""
        return self.default is MISSING


@cache
def options_of(section: type) -> tuple[Option, ...]:
    """Return the keys that a section declares, in their order."""
    kinds = typing.get_type_hints(section)
    return tuple(
        Option(f.name, kinds[f.name], _default(f), f.metadata.get(_DOC, "")) for f in dataclasses.fields(section)
    )


def doc_of(section: type) -> str:
    """Return what a section says about itself, or nothing if it says nothing."""
    doc = inspect.cleandoc(section.__doc__ or "")
    return "" if doc.startswith(f"{section.__name__}(") else doc


def is_section(kind: Any) -> bool:
    """Tell whether a type is a (nested) section."""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def without_none(kind: Any) -> tuple[Any, bool]:
    """Split ``X | None`` into (X, True); anything else is itself, False."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(kind) if each is not type(None)]
        if len(rest) < len(typing.get_args(kind)):
            return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), True  # noqa: UP007
    return kind, False


def _default(declared: "dataclasses.Field[Any]") -> Any:
    if declared.default_factory is not MISSING:
        return declared.default_factory()
    return declared.default
