"""Path templates as a few compact regular expressions, in the words that PCRE and RE2 have in common.

They match paths as they are sent, percent-encoded. Templates that begin alike after their version share an expression.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from synapse_like.toolkit.http.router import MAY_BE_EMPTY

SEGMENT: Final = "[^/?]"
"""What a parameter is made of."""
_VERSION: Final = re.compile(r"^(/_\w+/\w+)/(?:unstable/[^/]+|v\d+|r0)(?=/)")

Tree = dict[str, "Tree"]
"""What may follow a place in a path: segments as expressions, with what follows them. The empty segment ends a path."""

_END: Final = ""


def expressions(templates: Iterable[str]) -> list[str]:
    """Expressions without anchors that together match the paths of these templates."""
    ordered = sorted(templates, key=_subject)
    return [_expression(_tree(group)) for _, group in groupby(ordered, key=_subject)]


def can_meet(one: str, other: str) -> bool:
    """Whether a path exists that both templates match."""
    ours, theirs = one.split("/"), other.split("/")
    for mine, yours in zip(ours, theirs, strict=False):
        if mine.endswith("*}") or yours.endswith("*}"):
            return True
        if mine != yours and not _may_equal(mine, yours):
            return False
    return len(ours) == len(theirs)


def specificity(template: str) -> tuple[int, ...]:
    """Sorts templates that can meet as the router decides: a literal comes before a parameter, that before a rest."""
    return tuple(2 if part.endswith("*}") else int(part.startswith("{")) for part in template.split("/"))


def _may_equal(one: str, other: str) -> bool:
    """Whether a segment exists that both match, if they are not the same."""
    if not one.startswith("{") and not other.startswith("{"):
        return False
    literal = other if one.startswith("{") else one
    return literal != "" or {one.strip("{}"), other.strip("{}")} & MAY_BE_EMPTY != set()


def _subject(template: str) -> str:
    """What a path is about, by which templates are grouped for the reader: its beginning, without the version."""
    return "/".join(_VERSION.sub(r"\1", template).split("/")[:4])


def _tree(templates: Iterable[str]) -> Tree:
    root: Tree = {}
    for template in templates:
        place = root
        for segment in template.split("/")[1:]:
            place = place.setdefault("/" + _segment(segment), {})
        place[_END] = {}
    return root


def _segment(text: str) -> str:
    if not text.startswith("{"):
        return re.escape(text).replace(r"\-", "-")
    if text.endswith("*}"):
        return ".*"
    return SEGMENT + ("*" if text.strip("{}") in MAY_BE_EMPTY else "+")


def _expression(tree: Tree) -> str:
    """What may follow; places that are followed by the same are written together."""
    choices: dict[str, list[str]] = {}
    for segment, rest in sorted(tree.items()):
        if segment != _END:
            choices.setdefault(_expression(rest), []).append(segment)
    written = [_together(segments) + rest for rest, segments in choices.items()]
    joined = written[0] if len(written) == 1 else f"(?:{'|'.join(written)})"
    if not written:
        return ""
    return f"(?:{joined})?" if _END in tree else joined


def _together(segments: list[str]) -> str:
    if len(segments) == 1:
        return segments[0]
    return f"/(?:{'|'.join(segment[1:] for segment in segments)})"


def table_of(templates: Mapping[str, Iterable[str]]) -> dict[tuple[str, ...], list[str]]:
    """Expressions by the methods that share them, from templates by method; GET includes HEAD."""
    by_templates: dict[frozenset[str], list[str]] = {}
    for method, of_method in templates.items():
        by_templates.setdefault(frozenset(of_method), []).append(method)
    return {tuple(sorted(methods)): expressions(same) for same, methods in by_templates.items()}
