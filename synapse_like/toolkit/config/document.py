"""Writes the commented homeserver.yaml: the manual of all declared keys.

Keys that were given a value are live; all others stand there as a comment with their default. What the keys are is
told by ``options``; reading the file back is ``loading``'s part.
"""

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from synapse_like.toolkit.config.options import Option, doc_of, is_section, options_of, without_none
from synapse_like.toolkit.config.values import Duration, Secret, Size

_WIDTH = 100


def render(sections: Sequence[type], live: Mapping[str, Any], intro: str = "") -> str:
    """Return the file's text. ``live`` maps keys (``_path`` twins too) to the values that are to stand in force."""
    lines = [*_comment(intro), ""]
    for section in sections:
        lines += _section(section, live)
    lines += _undeclared(sections, live)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: type, live: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {'-' * (_WIDTH - 2)}"
    yield from _comment(doc_of(section))
    yield ""
    for declared in options_of(section):
        yield from _comment(declared.doc)
        yield from _key(declared, live)
        yield ""


def _undeclared(sections: Sequence[type], live: Mapping[str, Any]) -> Iterator[str]:
    """Yield the given keys that no section reads, so that none is lost."""
    declared = {each.name for section in sections for each in options_of(section)}
    for name, value in live.items():
        if name not in declared and name.removesuffix("_path") not in declared:
            yield from _yaml({name: value})


def _key(declared: Option, live: Mapping[str, Any]) -> Iterator[str]:
    for name in (declared.name, f"{declared.name}_path"):
        if name in live:
            yield from _yaml({name: live[name]})
            return
    if declared.is_secret:
        yield f"#{declared.name}_path: /path/to/a/file/with/the/secret"
        return
    kind, _ = without_none(declared.kind)
    if is_section(kind) and isinstance(declared.default, kind) and kind not in (Duration, Size):
        yield f"#{declared.name}:"
        yield from _nested(declared.default, "  ")
        return
    default = None if declared.is_required else declared.default
    yield from (f"#{line}" for line in _yaml({declared.name: default}))


def _nested(instance: Any, indent: str) -> Iterator[str]:
    """Yield the keys of a nested section, each with its sentence, as comments."""
    section: type = type(instance)
    for declared in options_of(section):
        yield from (f"#{indent}# {line}" for line in textwrap.wrap(declared.doc, _WIDTH - len(indent) - 3))
        value = getattr(instance, declared.name)
        if is_section(type(value)) and not isinstance(value, Duration | Size | Secret):
            yield f"#{indent}{declared.name}:"
            yield from _nested(value, f"{indent}  ")
        else:
            yield from (f"#{indent}{line}" for line in _yaml({declared.name: value}))


def _comment(text: str) -> Iterator[str]:
    for paragraph in text.splitlines():
        yield from (f"# {line}" for line in textwrap.wrap(paragraph, _WIDTH - 2) or [""])


def _yaml(value: Mapping[str, Any]) -> list[str]:
    text = yaml.safe_dump(_plain(value), sort_keys=False, width=_WIDTH, allow_unicode=True, default_flow_style=False)
    return text.replace(": null\n", ":\n").splitlines()


def _plain(value: Any) -> Any:
    """Return a value in the words of YAML."""
    if isinstance(value, Duration | Size):
        return str(value)
    if isinstance(value, Secret):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        written = {each.name: _plain(getattr(value, each.name)) for each in options_of(type(value))}
        return {name: each for name, each in written.items() if each is not None}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
