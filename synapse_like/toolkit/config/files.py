"""Reads configuration files into YAML nodes, which know their line, and merges them by top-level key.

What the keys mean is not known here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from synapse_like.toolkit.config.problems import ConfigErrors, Place, Remark, Weight


@dataclass(frozen=True, slots=True)
class Written:
    """A YAML node and the file it stands in."""

    node: yaml.Node
    file: str

    @property
    def place(self) -> Place:
        """Where the node begins."""
        return Place(self.file, self.node.start_mark.line + 1)

    def plain(self) -> Any:
        """Return the node as Python's dicts, lists, strings, numbers, booleans and None."""
        constructor = yaml.constructor.SafeConstructor()
        return constructor.construct_document(self.node)

    def items(self) -> Iterator["tuple[Written, Written]"]:
        """Return the pairs of a mapping, with YAML's ``<<`` resolved; nothing for other nodes."""
        if isinstance(self.node, yaml.MappingNode):
            yaml.constructor.SafeConstructor().flatten_mapping(self.node)
            for key, value in self.node.value:
                yield Written(key, self.file), Written(value, self.file)

    def elements(self) -> "list[Written]":
        """Return the elements of a sequence; nothing for other nodes."""
        return [Written(node, self.file) for node in self.node.value] if self.is_sequence else []

    @property
    def is_mapping(self) -> bool:
        """Whether the node is a mapping."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_sequence(self) -> bool:
        """Whether the node is a sequence."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_empty(self) -> bool:
        """Whether nothing (null) is written."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Merged:
    """Every top-level key with its key node and value node, the last file winning; and remarks about the files."""

    keys: "dict[str, tuple[Written, Written]]"
    remarks: tuple[Remark, ...]


def read_files(paths: Sequence[str | Path]) -> Merged:
    """Read files, and folders of ``*.yaml`` files in the order of their names. Raises ConfigErrors."""
    keys: dict[str, tuple[Written, Written]] = {}
    remarks: list[Remark] = []
    for path in _expanded(paths):
        try:
            keys.update(_read_file(path, remarks))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            remarks.append(Remark(Weight.ERROR, "YAML", str(error.problem), Place(str(path), line)))
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            remarks.append(Remark(Weight.ERROR, "file", str(error), Place(str(path), 0)))
    if any(remark.weight is Weight.ERROR for remark in remarks):
        raise ConfigErrors([remark for remark in remarks if remark.weight is Weight.ERROR])
    return Merged(keys, tuple(remarks))


def _expanded(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(path.glob("*.yaml"))
        else:
            yield path


def _read_file(path: Path, remarks: list[Remark]) -> "dict[str, tuple[Written, Written]]":
    root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    if root is None:
        return {}
    whole = Written(root, str(path))
    if not whole.is_mapping:
        remarks.append(Remark(Weight.ERROR, "file", "must be a mapping of keys to values", whole.place))
    keys: dict[str, tuple[Written, Written]] = {}
    for key, value in whole.items():
        name = str(key.plain())
        if name in keys:
            message = f"is given again (first on line {keys[name][0].place.line}); the last one counts"
            remarks.append(Remark(Weight.WARNING, name, message, key.place))
        keys[name] = (key, value)
    return keys
