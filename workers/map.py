"""`python -m workers map`: what plugs in where, and which endpoints of the specification are still missing.

Derived from the catalogue and the endpoints' declarations; nothing is built or started.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

from synapse_like.catalogue import FEATURES
from synapse_like.sync.api import SyncApi
from synapse_like.toolkit.http.endpoint import Endpoint, declared

_PARAMETER = re.compile(r"\{[^}]*\}")


def endpoints() -> Iterator[tuple[str, Endpoint]]:
    """Every endpoint of this server, with the name of its feature."""
    for feature in FEATURES:
        for api in feature.apis:
            for endpoint in declared(api):
                yield feature.name, endpoint
    for endpoint in declared(SyncApi):
        yield "sync", endpoint


def lines() -> Iterator[str]:
    """The map: features with their endpoints, who they are for, and what they write."""
    name = ""
    for feature, endpoint in endpoints():
        if feature != name:
            name = feature
            yield f"\n{name}"
        writes = f"  writes {', '.join(endpoint.writes)}" if endpoint.writes else ""
        who = f"{endpoint.auth.value:<9} {endpoint.balance.value}"
        yield f"  {endpoint.method:<6} {endpoint.paths[0]:<74} {who}{writes}"


def missing() -> list[tuple[str, str]]:
    """The endpoints of the client-server API v1.19 that nothing answers: (method, path)."""
    have = {(endpoint.method, _shape(path)) for _, endpoint in endpoints() for path in endpoint.paths}
    text = files("workers").joinpath("specified_endpoints.tsv").read_text()
    wanted = [tuple(line.split("\t")) for line in text.splitlines()[1:]]
    return [(method, path) for method, path in wanted if (method, _shape(path)) not in have]


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path)
