"""Metrics of a real process: listeners of type metrics and with the resource, and what its reactor does."""

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.listeners import Listeners, Surroundings
from synapse_like.toolkit.metrics.replication import CALL_SECONDS, SERVED_SECONDS
from tests.kit import ports
from tests.kit.server import Server, open_server, watched
from workers.dashboards.declared import series_names
from workers.observing import listen_for_metrics

CALLS = (*CALL_SECONDS.sample_names, *SERVED_SECONDS.sample_names)
"""By method: a process that calls nobody has none."""


def fetch(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def with_metrics(folder: Path, *, enabled: bool) -> tuple[Server, int]:
    """A server with a listener of type metrics, and its port."""
    server, port = open_server("sqlite", folder, {"enable_metrics": enabled}), ports.claim()
    path = folder / "homeserver.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["listeners"][0]["resources"][0]["names"] = ["client", "metrics"]
    settings["listeners"].append({"port": port, "type": "metrics", "bind_addresses": ["127.0.0.1"]})
    path.write_text(yaml.safe_dump(settings))
    return server, port


def series(text: str, name: str) -> float:
    """The value of one series."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def test_both_kinds_of_listeners_serve_metrics(tmp_path):
    server, port = with_metrics(tmp_path, enabled=True)
    with watched(server):
        server.register("alice")
        for place, path in ((port, "/metrics"), (port, "/_synapse/metrics"), (server.port, "/_synapse/metrics")):
            status, text = fetch(place, path)
            assert status == 200
            assert 'synapse_like_process_info{kind="main",name="main"' in text
        assert fetch(port, "/_matrix/client/versions")[0] == 404
        for path in ("/health", "/health/live", "/health/ready"):
            assert fetch(port, path)[0] == fetch(server.port, path)[0] == 200
        registered = 'synapse_like_http_requests_total{endpoint="RegistrationApi.register",method="POST",status="%s"}'
        assert series(text, registered % "2xx") == 1
        assert series(text, registered % "5xx") == 0
        never = 'synapse_like_http_requests_total{endpoint="SyncApi.sync",method="GET",status="2xx"}'
        assert series(text, never) == 0
        assert series(text, "synapse_like_loop_busy_seconds_total") > 0
        assert series(text, "synapse_like_loop_tick_seconds_count") > 0
        assert series(text, "synapse_like_http_connections") >= 1
        shown = set(re.findall(r"^(\w+)", text, re.MULTILINE))
        assert sorted(series_names() - shown - set(CALLS)) == []


def test_without_enable_metrics_nothing_is_shown(tmp_path):
    server, port = with_metrics(tmp_path, enabled=False)
    with watched(server):
        assert fetch(port, "/metrics")[0] == fetch(server.port, "/_synapse/metrics")[0] == 404
        assert fetch(port, "/health/live")[0] == 200
        assert server.log_text().count("serves no metrics: enable_metrics is not set") == 2


@pytest.mark.parametrize("address", ["9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ""])
def test_the_address_of_the_flag_must_be_one(address):
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        listen_for_metrics(Listeners(Surroundings(None, Clock(None), None), []), address)
