"""Turns YAML nodes into the values that sections declare, noting every problem on the way.

Which keys exist is decided by ``loading``; a value that cannot be read becomes ``UNREADABLE`` and a remark.
"""

import typing
from collections.abc import Mapping
from dataclasses import MISSING, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from synapse_like.toolkit.config.files import Written
from synapse_like.toolkit.config.options import Option, is_section, options_of, without_none
from synapse_like.toolkit.config.problems import Remark, Weight
from synapse_like.toolkit.config.values import Arguments, Duration, FilePath, Secret, Size

UNREADABLE: Any = object()
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


class Reading:
    """One reading of a configuration: collects remarks while it converts."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []

    def read(self, kind: Any, written: Written, key: str, default: Any = MISSING) -> Any:
        """Return the value of a node as ``kind``, or UNREADABLE after a remark."""
        kind, may_be_none = without_none(kind)
        if written.is_empty and (may_be_none or default is not MISSING):
            return None if may_be_none else default
        if is_section(kind) and not hasattr(kind, "of") and kind is not Secret:
            return self._read_section(kind, written, key, default)
        origin = typing.get_origin(kind)
        if origin in (list, tuple):
            return self._read_sequence(kind, written, key)
        if origin in (dict, Mapping):
            return self._read_mapping(typing.get_args(kind)[1], written, key)
        return self._read_single(kind, written, key)

    def read_keys(self, section: type, given: Mapping[str, tuple[Written, Written]], prefix: str) -> dict[str, Any]:
        """Return the values of the keys in ``given`` that ``section`` declares; unreadable ones are left out."""
        values: dict[str, Any] = {}
        for declared in options_of(section):
            value = self._read_option(declared, given, prefix)
            if value is not UNREADABLE:
                values[declared.name] = value
        return values

    def error(self, key: str, message: str, written: Written | None = None) -> Any:
        """Note a problem; the answer is UNREADABLE."""
        self.remarks.append(Remark(Weight.ERROR, key, message, written.place if written else None))
        return UNREADABLE

    def warn(self, key: str, message: str, written: Written) -> None:
        """Note something that an administrator should look at."""
        self.remarks.append(Remark(Weight.WARNING, key, message, written.place))

    def _read_option(self, declared: Option, given: Mapping[str, tuple[Written, Written]], prefix: str) -> Any:
        key = prefix + declared.name
        twin = given.get(f"{declared.name}_path") if declared.is_secret else None
        here = given.get(declared.name)
        if here is not None and here[1].is_empty and twin is not None:
            here = None
        if here is not None and twin is not None:
            return self.error(key, f"set either {key} or {key}_path, not both", here[0])
        if twin is not None:
            return self._read_secret_file(twin[1], f"{key}_path")
        if here is not None:
            return self.read(declared.kind, here[1], key, declared.default)
        return UNREADABLE

    def _read_secret_file(self, written: Written, key: str) -> Any:
        path = self._read_single(FilePath, written, key)
        if path is UNREADABLE:
            return UNREADABLE
        try:
            return Secret(Path(path).read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            return self.error(key, f"cannot be read: {error}", written)

    def _read_section(self, kind: Any, written: Written, key: str, default: Any) -> Any:
        if not written.is_mapping:
            return self.error(key, "must be a mapping of keys to values", written)
        given = {str(name.plain()): (name, value) for name, value in written.items()}
        self._warn_of_unknown(kind, given, key)
        before = len(self.remarks)
        values = self.read_keys(kind, given, f"{key}.")
        if any(remark.weight is Weight.ERROR for remark in self.remarks[before:]):
            return UNREADABLE
        if isinstance(default, kind):
            return replace(default, **values)
        missing = [each.name for each in options_of(kind) if each.is_required and each.name not in values]
        if missing:
            return self.error(key, f"lacks {', '.join(missing)}", written)
        return kind(**values)

    def _warn_of_unknown(self, kind: type, given: Mapping[str, tuple[Written, Written]], key: str) -> None:
        known = known_names(kind)
        for name, (where, _) in given.items():
            if name not in known:
                self.warn(f"{key}.{name}", f"is not a known key{nearest(name, known)}", where)

    def _read_sequence(self, kind: Any, written: Written, key: str) -> Any:
        if not written.is_sequence:
            return self.error(key, "must be a list", written)
        (element, *_rest) = typing.get_args(kind)
        values = [self.read(element, each, f"{key}[{at}]") for at, each in enumerate(written.elements())]
        if any(value is UNREADABLE for value in values):
            return UNREADABLE
        return values if typing.get_origin(kind) is list else tuple(values)

    def _read_mapping(self, kind: Any, written: Written, key: str) -> Any:
        if not written.is_mapping:
            return self.error(key, "must be a mapping of keys to values", written)
        values = {str(name.plain()): self.read(kind, value, f"{key}.{name.plain()}") for name, value in written.items()}
        return UNREADABLE if any(value is UNREADABLE for value in values.values()) else values

    def _read_single(self, kind: Any, written: Written, key: str) -> Any:
        plain = written.plain()
        if kind is Any:
            return plain
        if typing.get_origin(kind) is typing.Literal:
            choices = typing.get_args(kind)
            message = f"must be one of {', '.join(map(str, choices))}, not {plain!r}"
            return plain if plain in choices else self.error(key, message, written)
        try:
            return _converted(kind, plain, written)
        except ValueError as error:
            return self.error(key, str(error), written)


def known_names(section: type) -> set[str]:
    """Return the keys that a section reads, the twins of its secrets among them."""
    declared = options_of(section)
    return {each.name for each in declared} | {f"{each.name}_path" for each in declared if each.is_secret}


def nearest(name: str, known: set[str]) -> str:
    """Return a question that names the most similar key, or nothing."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _converted(kind: Any, plain: Any, written: Written) -> Any:
    """Return a scalar as the wanted type. Raises ValueError with a sentence that never shows a secret."""
    if kind in (Duration, Size):
        if not isinstance(plain, str | int):
            raise ValueError(f"must be a {kind.__name__.lower()} such as {'5m' if kind is Duration else '50M'}")
        return kind.of(plain)
    if kind is Secret:
        if not isinstance(plain, str | int) or isinstance(plain, bool):
            raise ValueError("must be text")
        return Secret(str(plain))
    if kind is Arguments:
        if not isinstance(plain, dict):
            raise ValueError("must be a mapping of names to values")
        arguments = Arguments(plain)
        arguments.folder = Path(written.file).absolute().parent
        return arguments
    if kind is FilePath:
        if not isinstance(plain, str):
            raise ValueError(f"must be a path, not {plain!r}")
        return FilePath(Path(written.file).absolute().parent / plain)
    return _converted_plain(kind, plain)


def _converted_plain(kind: Any, plain: Any) -> Any:
    is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
    if kind is float and is_number:
        return float(plain)
    if kind is int and is_number and plain == int(plain):
        return int(plain)
    if kind is str and isinstance(plain, int) and is_number:
        return str(plain)  # default_room_version: 11
    if kind in (bool, str) and isinstance(plain, kind):
        return plain
    raise ValueError(f"must be {_KINDS.get(kind, kind)}, not {plain!r}")
