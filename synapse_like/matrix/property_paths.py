"""Dot-separated property paths, as push rules and filters write them.

Here: cutting `content.m\\.relates_to.rel_type` into its names and following them into JSON. Not here: what is done with
the value. Source: the specification's appendices, "Dot-separated property paths".
"""

import re
from collections.abc import Mapping
from typing import Any, Final

Path = tuple[str, ...]

_NAME_OR_DOT = re.compile(r"\.|(?:\\[.\\]|[^.])+", re.DOTALL)
_ESCAPED = re.compile(r"\\([.\\])")


class _Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What a path leads to when nothing is there (`None` is JSON's `null`)."""


def split_path(text: str) -> Path:
    """Cut a path at its dots; `\\.` is a dot and `\\\\` a backslash inside a name, any other backslash is itself."""
    names = [""]
    for token in _NAME_OR_DOT.findall(text):
        if token == ".":
            names.append("")
        else:
            names[-1] = _ESCAPED.sub(r"\1", token)
    return tuple(names)


def value_at(json: Mapping[str, Any], path: Path) -> Any:
    """Return the value that `path` leads to through objects only, or `MISSING`."""
    value: Any = json
    for name in path:
        if not isinstance(value, Mapping):
            return MISSING
        value = value.get(name, MISSING)
    return value
