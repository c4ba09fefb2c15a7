"""Loads homeserver.yaml: files → sections, with one list of everything that is wrong.

Single values are read in ``reading``; the sections themselves are declared by their features.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from synapse_like.toolkit.config.files import Merged, Written, read_files
from synapse_like.toolkit.config.foreign_keys import explanation_of
from synapse_like.toolkit.config.options import options_of
from synapse_like.toolkit.config.problems import ConfigErrors, Remark, Weight
from synapse_like.toolkit.config.reading import Reading, known_names, nearest

Section = TypeVar("Section")


class Config:
    """The loaded sections: ``config[ServerConfig].server_name``. ``remarks`` are warnings and notes, for the log."""

    def __init__(self, sections: Mapping[type, Any], remarks: Sequence[Remark] = ()) -> None:
        self._sections = dict(sections)
        self.remarks = tuple(remarks)

    def __getitem__(self, section: type[Section]) -> Section:
        found: Section = self._sections[section]
        return found

    def __contains__(self, section: type) -> bool:
        return section in self._sections


def load(paths: Sequence[str | Path], sections: Sequence[type]) -> Config:
    """Read and merge files (later ones win, by top-level key) and fill the sections. Raises ConfigErrors."""
    merged = read_files(paths)
    reading = Reading()
    reading.remarks += merged.remarks
    _remark_on_unknown(reading, merged, sections)
    filled = {section: _filled(reading, section, merged.keys) for section in sections}
    errors = [remark for remark in reading.remarks if remark.weight is Weight.ERROR]
    if errors:
        raise ConfigErrors(sorted(errors, key=_order))
    return Config(filled, reading.remarks)


def _filled(reading: Reading, section: type, keys: Mapping[str, tuple[Written, Written]]) -> Any:
    before = len(reading.remarks)
    values = reading.read_keys(section, keys, "")
    is_complete = True
    for declared in options_of(section):
        if declared.is_required and declared.name not in values:
            is_complete = False
            if declared.name not in keys:
                reading.error(declared.name, "must be set")
    wrong = {_top(remark.key) for remark in reading.remarks[before:] if remark.weight is Weight.ERROR}
    if not is_complete:
        return None
    instance = section(**values)
    for key, message in getattr(instance, "check", tuple)():
        where = keys.get(_top(key))
        if _top(key) not in wrong:
            reading.error(key, message, where[0] if where else None)
    return instance


def _top(key: str) -> str:
    """Return the top-level key of ``listeners[0].port``."""
    return key.split(".")[0].split("[")[0]


def _remark_on_unknown(reading: Reading, merged: Merged, sections: Sequence[type]) -> None:
    known = {name for section in sections for name in known_names(section)}
    for name, (key, _value) in merged.keys.items():
        if name in known:
            continue
        explanation = explanation_of(name)
        if explanation is None:
            reading.warn(name, f"is not a known key{nearest(name, known)}", key)
        else:
            weight, message = explanation
            reading.remarks.append(Remark(weight, name, message, key.place))


def _order(remark: Remark) -> tuple[str, int]:
    return (remark.place.file, remark.place.line) if remark.place else ("", 0)
