"""The folder `grafana`: fresh, every metric drawn, and every query about series that exist."""

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from workers.__main__ import main
from workers.dashboards import command, documents
from workers.dashboards.declared import LIBRARY, metrics, series_names
from workers.dashboards.panels import ROWS
from workers.dashboards.rules import ALERTS, RECORDED

FOLDER = Path(__file__).resolve().parents[3] / "grafana"
QUERIES = [query for panels in ROWS.values() for panel in panels for query, _ in panel.queries]
RULES = [*(rule.query for rule in RECORDED), *(alert.query for alert in ALERTS)]
OF_SCRAPES = {"instance", "job", "le"}
LABELS = {name: set(metric.labels) for metric in metrics() for name in metric.sample_names}


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """(name, labels) of every series that a query asks for."""
    found: list[tuple[str, set[str]]] = []
    filled = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
    _visit(promql_parser.parse(filled), found)
    return found


def _visit(node: Any, found: list[tuple[str, set[str]]]) -> None:
    if isinstance(node, promql_parser.VectorSelector) and node.name is not None:
        found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
    for part in ("expr", "lhs", "rhs", "vector_selector", "vs", "param"):
        if (inner := getattr(node, part, None)) is not None and not isinstance(inner, str):
            _visit(inner, found)
    for inner in getattr(node, "args", ()):
        _visit(inner, found)


def test_the_files_are_fresh():
    assert command.stale(FOLDER) == []


def test_selectors_are_found_wherever_they_stand():
    query = 'histogram_quantile(0.9, sum by (le) (rate(a{x="1"}[5m]))) / on(instance) (topk(3, b) + -c) and absent(d)'
    assert [name for name, _ in selectors(query)] == ["a", "b", "c", "d"]
    assert selectors(query)[0][1] == {"x"}


@pytest.mark.parametrize("query", [*QUERIES, *RULES])
def test_a_query_asks_for_series_and_labels_that_exist(query):
    recorded = {rule.name for rule in RECORDED}
    asked = selectors(query)
    assert asked
    for name, labels in asked:
        assert name in series_names() | recorded
        if name not in LIBRARY | recorded:
            assert labels <= LABELS[name] | OF_SCRAPES
    every = set().union(*(LABELS.get(name, set()) for name, _ in asked)) | OF_SCRAPES
    for grouped in re.findall(r"\b(?:by|on) ?\(([^)]*)\)", query):
        assert {label.strip() for label in grouped.split(",")} <= every


def test_every_metric_is_drawn():
    asked = {name for query in QUERIES for name, _ in selectors(query)}
    assert [metric.name for metric in metrics() if not asked.intersection(metric.sample_names)] == []


def test_no_metric_is_declared_twice():
    names = [metric.name for metric in metrics()]
    assert len(names) == len(set(names))


def test_the_dashboard_is_one_that_grafana_reads():
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "kind", "instance"]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows[:5] == ["Overview", "HTTP", "Replication", "Commits", "Leases and calls"]
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"]


def test_every_alert_says_what_to_do():
    groups = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len(alerts) == len(ALERTS) > 15
    for alert in alerts:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert len(alert["annotations"]["runbook"]) > 30
        heading = alert["annotations"]["runbook_page"].removeprefix("RUNBOOKS.md#")
        assert f"## {heading}\n" in documents.runbooks().lower()


def test_the_command_writes_what_is_stale(tmp_path, capsys):
    assert main(["dashboard", "--to", str(tmp_path / "new"), "--check"]) == 1
    assert "is stale" in capsys.readouterr().err
    assert main(["dashboard", "--to", str(tmp_path / "new")]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(command.FILES)
    assert main(["dashboard", "--to", str(tmp_path / "new"), "--check"]) == 0
    (tmp_path / "new" / "rules.yaml").write_text("groups: []\n")
    assert command.stale(tmp_path / "new") == ["rules.yaml"]
