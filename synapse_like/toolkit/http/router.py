"""From method and path to endpoint and handler: one walk down a tree of path segments, whatever their number.

The grammar of templates: segments between slashes, each either literal or ``{name}``, which takes one whole segment.
``{state_key}`` as the last segment may be empty (the path then ends in a slash); ``{name*}`` as the last segment takes
the rest of the path, slashes included. A literal wins over ``{name}``, and that over ``{name*}``. Segments are matched
before they are percent-decoded, so that ``%2F`` stays inside its segment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from synapse_like.matrix.errors import MatrixError, MethodNotAllowed, Unrecognized
from synapse_like.toolkit.http.endpoint import BoundEndpoint, Endpoint, Handler
from synapse_like.toolkit.http.query import decode_component

MAY_BE_EMPTY: Final = frozenset({"state_key"})
"""Names of parameters whose segment may be empty at the end of a path."""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint at one of its paths."""

    endpoint: Endpoint
    handler: Handler
    template: str
    names: tuple[str, ...]
    """Names of the parameters, in the order of the path."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a path led to."""

    route: Route
    params: dict[str, str]


class DuplicateRoute(ValueError):
    """Two endpoints claim the same method and path."""


class _Node:
    """A place in the tree: what may follow, and what ends here (by method)."""

    __slots__ = ("literals", "parameter", "rest", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.rest: _Node | None = None
        self.routes: dict[str, Route] = {}


class Router:
    """All endpoints of one listener."""

    def __init__(self, endpoints: Iterable[BoundEndpoint] = ()) -> None:
        """Take endpoints. Raises DuplicateRoute if two of them claim the same method and path."""
        self._root = _Node()
        self._whole: dict[tuple[str, str], Route] = {}
        """Routes without parameters, by method and path: no other route wins over a path that is literal throughout."""
        for endpoint, handler in endpoints:
            for template in endpoint.paths:
                self._add(endpoint, handler, template)

    def match(self, method: str, path: str) -> Match:
        """Return the endpoint for a method and an encoded path (no query); HEAD finds the endpoint of GET.

        Raises Unrecognized (404), MethodNotAllowed (405, with ``allow``) or InvalidParam (a parameter is not UTF-8).
        """
        method = "GET" if method == "HEAD" else method
        whole = self._whole.get((method, path))
        if whole is not None:
            return Match(whole, {})
        walk = _Walk(path.split("/"), method)
        node = walk.find(self._root, 1) if path.startswith("/") else None
        if node is None:
            raise self._refusal(path)
        route = node.routes[method]
        params = {name: decode_component(value) for name, value in zip(route.names, walk.values, strict=True)}
        return Match(route, params)

    def _refusal(self, path: str) -> MatrixError:
        node = _Walk(path.split("/"), None).find(self._root, 1) if path.startswith("/") else None
        return Unrecognized() if node is None else WrongMethod(node.routes)

    def _add(self, endpoint: Endpoint, handler: Handler, template: str) -> None:
        node, names = self._root, []
        for segment in template.split("/")[1:]:
            node = _grow(node, segment)
            if segment.startswith("{"):
                names.append(segment.strip("{*}"))
        if endpoint.method in node.routes:
            other = node.routes[endpoint.method]
            raise DuplicateRoute(f"{endpoint.method} {template}: {endpoint.name} and {other.endpoint.name}")
        route = node.routes[endpoint.method] = Route(endpoint, handler, template, tuple(names))
        if not names:
            self._whole[endpoint.method, template] = route


class _Walk:
    """One path on its way down the tree, with the parameters that it has met."""

    __slots__ = ("_method", "_segments", "values")

    def __init__(self, segments: list[str], method: str | None) -> None:
        self._segments = segments
        self._method = method
        self.values: list[str] = []

    def find(self, node: _Node, at: int) -> _Node | None:
        """Return the node that the segments from ``at`` on lead to, if it has the method (or any, for None)."""
        segments, values = self._segments, self.values
        if at == len(segments):
            return node if self._fits(node) else None
        segment = segments[at]
        literal = node.literals.get(_decoded(segment))
        if literal is not None and (found := self.find(literal, at + 1)) is not None:
            return found
        if node.parameter is not None and (segment or at == len(segments) - 1):
            values.append(segment)
            found = self.find(node.parameter, at + 1)
            if found is not None and (segment or _may_end_empty(found)):
                return found
            values.pop()
        if node.rest is not None and self._fits(node.rest):
            values.append("/".join(segments[at:]))
            return node.rest
        return None

    def _fits(self, node: _Node) -> bool:
        return bool(node.routes) if self._method is None else self._method in node.routes


class WrongMethod(MethodNotAllowed):
    """The path exists for other methods, which ``allowed`` names."""

    def __init__(self, methods: Iterable[str]) -> None:
        super().__init__()
        names = set(methods) | {"OPTIONS"}
        self.allowed = ", ".join(sorted(names | {"HEAD"} if "GET" in names else names))


def _grow(node: _Node, segment: str) -> _Node:
    """Return the node for one more segment of a template, made if need be."""
    if not segment.startswith("{"):
        return node.literals.setdefault(segment, _Node())
    if segment.endswith("*}"):
        node.rest = node.rest or _Node()
        return node.rest
    node.parameter = node.parameter or _Node()
    return node.parameter


def _may_end_empty(node: _Node) -> bool:
    return any(route.names[-1] in MAY_BE_EMPTY for route in node.routes.values())


def _decoded(segment: str) -> str:
    """Return a segment for comparison with literals; what cannot be decoded equals none of them anyway."""
    return decode_component(segment) if "%" in segment else segment
