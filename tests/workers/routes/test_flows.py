"""The flows and their expressions say of every request what the server's router says of it."""

import re

import pytest

from synapse_like.toolkit.http.endpoint import Balance, Endpoint, Timeout
from tests.workers.routes.corpus import corpus
from workers.kinds import CLIENT, EVENT_WRITER, SYNC
from workers.map import endpoints
from workers.routes.flows import REST, Flow, all_flows, flows_of
from workers.routes.patterns import can_meet, expressions

ALL = [endpoint for _, endpoint in endpoints()]


class Table:
    """What a proxy does with the flows."""

    def __init__(self, flows: list[Flow]) -> None:
        self._rules = [
            (flow, methods, re.compile("|".join(several)))
            for flow in flows
            for methods, several in flow.expressions.items()
        ]

    def first_match(self, method: str, path: str) -> Flow | None:
        """The flow of a request."""
        method = "GET" if method == "HEAD" else method
        for flow, methods, expression in self._rules:
            if method in methods and expression.fullmatch(path):
                return flow
        return None


def test_the_first_flow_that_matches_is_the_one_of_the_router():
    table = Table(flows_of(ALL))
    urls = list(corpus(ALL))
    assert len(urls) > 700
    for url in urls:
        flow = table.first_match(url.method, url.target.partition("?")[0])
        treatment = flow.treatment if flow else REST
        assert (treatment.kind, treatment.balance) == (url.kind, url.balance), url
    assert {url.kind for url in urls} >= {CLIENT, EVENT_WRITER, SYNC}


def test_no_endpoint_is_lost():
    targets = [target for flow in all_flows(ALL) for target in flow.targets]
    assert len(targets) == len(set(targets)) == sum(len(endpoint.paths) for endpoint in ALL)
    assert len({flow.name for flow in all_flows(ALL)}) == len(all_flows(ALL))


def test_a_more_specific_path_comes_first_wherever_its_flow_would_stand():
    general = Endpoint("GET", ("/a/{x}/c",), pool="sync", balance=Balance.USER)
    special = Endpoint("GET", ("/a/b/c",), timeout=Timeout.SLOW)
    plain = Endpoint("GET", ("/a/d/c",))
    table = Table(flows_of([general, special, plain]))
    assert [table.first_match("GET", path).name for path in ("/a/b/c", "/a/d/c", "/a/z/c")] == [
        "client_slow",
        "client",
        "sync_by_user",
    ]
    assert table.first_match("PUT", "/a/b/c") is None


def test_what_may_be_repeated_and_how_long_it_takes_is_kept():
    once = Endpoint("POST", ("/rooms/{room_id}/kick",), writes=("events",), balance=Balance.ROOM, is_idempotent=False)
    large = Endpoint("POST", ("/upload",), limit_bytes=50 * 2**20, timeout=Timeout.SLOW, is_idempotent=False)
    (kick, upload) = flows_of([once, large])[::-1]
    assert kick.name == "event_writer_by_room_once"
    assert (upload.name, upload.treatment.limit_bytes) == ("client_slow_50m_once", 50 * 2**20)


@pytest.mark.parametrize(
    ("templates", "written"),
    [
        (["/_x/client/v3/b", "/_x/client/r0/b"], ["/_x/client/(?:r0|v3)/b"]),
        (["/_x/client/v3/b/{c}", "/_x/client/v3/b/{c}/d"], ["/_x/client/v3/b/[^/?]+(?:/d)?"]),
        (["/_x/client/v3/b/{state_key}"], ["/_x/client/v3/b/[^/?]*"]),
        (["/_x/client/v1/{rest*}"], ["/_x/client/v1/.*"]),
        (["/a.b"], [r"/a\.b"]),
        (["/"], ["/"]),
    ],
)
def test_templates_become_compact_expressions(templates, written):
    assert expressions(templates) == written


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("/a/{b}", "/a/c", True),
        ("/a/{b}", "/a/c/d", False),
        ("/a/{b}", "/a/", False),
        ("/a/{state_key}", "/a/", True),
        ("/a/{b*}", "/a/c/d", True),
        ("/a/b", "/a/c", False),
    ],
)
def test_whether_two_templates_can_match_the_same_path(one, other, meet):
    assert can_meet(one, other) is can_meet(other, one) is meet
