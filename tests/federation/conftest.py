"""The two sides of a border: ``partner`` is the run's Synapse, ``ours`` our server; tools are in ``tests/kit``.

With ``SYNAPSE_LIKE_CONTROL=1`` in the environment the part of ours is played by a second Synapse, to tell what a test
expects of servers from what ours does; with ``SYNAPSE_LIKE_FEDERATION_CLUSTER=1`` by a cluster of our processes.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.federation.sides import Border
from tests.kit import synapse
from tests.kit.cluster_peer import ClusterPeer
from tests.kit.peers import Peer, open_peer, running
from tests.kit.synapse import NotInstallable, Partner, Synapse

_LOG_STARTED_AT = pytest.StashKey[int]()
IS_CLUSTER = os.environ.get("SYNAPSE_LIKE_FEDERATION_CLUSTER") == "1"
IS_CONTROL = os.environ.get("SYNAPSE_LIKE_CONTROL") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests may have to install Synapse."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Of a failed test, show what the partner logged since it began."""
    report: Any = yield
    if report.failed and "partner" in getattr(item, "fixturenames", ()):
        text = synapse.shared_log()[item.stash.get(_LOG_STARTED_AT, 0) :]
        report.sections.append(("the partner's log", "\n".join(line[:400] for line in text.splitlines()[-60:])))
    return report


@pytest.fixture(autouse=True)
def _log_of_this_test(request: pytest.FixtureRequest, partner: Partner) -> None:
    request.node.stash[_LOG_STARTED_AT] = len(synapse.shared_log())


@pytest.fixture(scope="session")
def partner() -> Partner:
    """The run's Synapse; tests are skipped, with the reason, where it cannot be installed."""
    try:
        return synapse.shared()
    except NotInstallable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, partner: Partner) -> Iterator[Peer]:
    """Our server on PostgreSQL, running for the tests of a module."""
    with running(open_ours(tmp_path_factory.mktemp("ours"))) as peer:
        yield peer


def open_ours(folder: Path, kind: str = "postgresql", **options: Any) -> Peer:
    """Return our server, or a second Synapse in its part; not yet started."""
    if IS_CONTROL:
        return Synapse(folder, {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}}, **options)
    if IS_CLUSTER:
        return ClusterPeer(folder)
    return open_peer(kind, folder, **options)


@pytest.fixture(params=["ours is host", "ours is guest"])
def border(request: pytest.FixtureRequest, ours: Peer, partner: Partner) -> Border:
    """Both directions: the room is ours and Synapse comes, and the other way round."""
    return Border(ours, partner) if request.param == "ours is host" else Border(partner, ours)
