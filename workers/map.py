"""`python -m workers map`: which kind of process does what, what plugs in where, what is missing of the specification.

Derived from the catalogue, the kinds and the endpoints' declarations; nothing is built or started.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

from synapse_like.catalogue import FEATURES
from synapse_like.sync.api import SyncApi
from synapse_like.toolkit.http.endpoint import Endpoint, declared
from workers.kinds import KINDS, kind_for

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
    """The map: the kinds, then the features with their endpoints: for whom, who serves them, and what they write."""
    yield "kinds"
    for kind in KINDS:
        yield f"  {kind.name:<21} {kind.purpose}"
        if written := _written_by(kind.name):
            yield f"  {'':<21} writes {', '.join(written)}"
    name = ""
    for feature, endpoint in endpoints():
        if feature != name:
            name = feature
            yield f"\n{name}"
        writes = f"  writes {', '.join(endpoint.writes)}" if endpoint.writes else ""
        who = f"{endpoint.auth.value:<9} {kind_for(endpoint).name:<19} by {endpoint.balance.value}"
        yield f"  {endpoint.method:<6} {endpoint.paths[0]:<74} {who}{writes}"


def missing() -> list[tuple[str, str, str]]:
    """The endpoints of the specification v1.19 that nothing answers: (api, method, path); api is client or server.

    The specification's list is without what a homeserver does not serve but asks others for.
    """
    have = {(endpoint.method, _shape(path)) for _, endpoint in endpoints() for path in endpoint.paths}
    text = files("workers").joinpath("specified_endpoints.tsv").read_text()
    wanted = [tuple(line.split("\t")) for line in text.splitlines()[1:]]
    return [(api, method, path) for api, method, path in wanted if (method, _shape(path)) not in have]


def missing_lines() -> Iterator[str]:
    """What is missing, by api, with the counts."""
    gaps = missing()
    for api, name in (("client", "client-server"), ("server", "server-server")):
        found = [(method, path) for each, method, path in gaps if each == api]
        yield f"{len(found)} endpoints of the {name} API v1.19 answer M_UNRECOGNIZED"
        yield from (f"  {method:<6} {path}" for method, path in found)
        yield ""


def _written_by(kind: str) -> list[str]:
    """The streams that requests sent to a kind write."""
    served = (endpoint for _, endpoint in endpoints() if kind_for(endpoint).name == kind)
    return sorted({stream for endpoint in served for stream in endpoint.writes})


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path)
