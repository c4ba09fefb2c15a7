"""The rules in Prometheus's own hands: promtool checks them, and they fire when they should."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.prometheus import NoPrometheus, find_promtool

RULES = Path(__file__).resolve().parents[3] / "grafana" / "rules.yaml"

REQUESTS = "synapse_like_http_requests_total"
CASES: list[tuple[str, dict[str, str], str, str]] = [
    (
        "SynapseLikeErrorsFast",
        {f'{REQUESTS}{{status="2xx"}}': "0+90x120", f'{REQUESTS}{{status="5xx"}}': "0+10x120"},
        "70m",
        "{}",
    ),
    (
        "SynapseLikeShardsUnowned",
        {
            'synapse_like_shards{family="room", instance="a"}': "32x10",
            'synapse_like_leases_owned{family="room", instance="a"}': "20x10",
            'synapse_like_leases_owned{family="room", instance="b"}': "12x4 8x6",
        },
        "8m",
        '{family="room"}',
    ),
    ("SynapseLikeAbsent", {"up": "1x10"}, "3m", "{}"),
    (
        "SynapseLikeCommitsStuck",
        {'synapse_like_commit_queue_age_seconds{instance="a"}': "0x3 7x5"},
        "6m",
        '{instance="a"}',
    ),
    (
        "SynapseLikeReactorFull",
        {'synapse_like_loop_busy_seconds_total{instance="a"}': "0+58x30"},
        "20m",
        '{instance="a"}',
    ),
    (
        "SynapseLikeEpochLost",
        {'synapse_like_lease_epochs_lost_total{family="user", instance="a"}': "0x3 1x5"},
        "5m",
        '{family="user", instance="a"}',
    ),
]


@pytest.fixture(scope="module")
def promtool() -> str:
    """The program, or the reason why there is none."""
    try:
        return find_promtool()
    except NoPrometheus as reason:
        pytest.skip(str(reason))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_finds_no_fault(promtool):
    assert "SUCCESS" in _run(promtool, "check", "rules", str(RULES))


def _firing(name: str, labels: str) -> list[dict[str, Any]]:
    rule = next(
        rule
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if rule.get("alert") == name
    )
    pairs = yaml.safe_load(labels.replace("=", ": "))
    return [{"exp_labels": {**pairs, **rule["labels"]}, "exp_annotations": rule["annotations"]}]


def test_alerts_fire_when_they_should_and_not_before(promtool, tmp_path):
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in given.items()],
            "alert_rule_test": [
                {"eval_time": "1m", "alertname": name, "exp_alerts": []},
                {"eval_time": when, "alertname": name, "exp_alerts": _firing(name, labels)},
            ],
        }
        for name, given, when, labels in CASES
    ]
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    assert "SUCCESS" in _run(promtool, "test", "rules", str(path))
