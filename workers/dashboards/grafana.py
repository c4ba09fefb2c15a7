"""The dashboard as JSON for Grafana 10 and later: rows of panels, with the kinds and processes as variables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from synapse_like.toolkit.metrics.process import INFO
from workers.dashboards.panels import ROWS, Panel

UID: Final = "synapse-like"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT, _ACROSS = 8, 8, 3


def render() -> str:
    """The file."""
    dashboard = {
        "uid": UID,
        "title": "synapse-like",
        "description": "Written by `python -m workers dashboard`; change workers/dashboards/panels.py instead.",
        "tags": ["matrix"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": list(_panels(ROWS)),
    }
    return json.dumps(dashboard, indent=2) + "\n"


def _variables() -> Iterator[dict[str, Any]]:
    info = INFO.full_name
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    yield _choice("kind", "Kind", f"label_values({info}, kind)")
    yield _choice("instance", "Process", f'label_values({info}{{kind=~"$kind"}}, instance)')


def _choice(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panels(rows: Mapping[str, Sequence[Panel]]) -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for title, panels in rows.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": _WIDTH * _ACROSS, "x": 0, "y": y},
            "panels": [],
        }
        y += 1
        for at, panel in enumerate(panels):
            number += 1
            place = {"h": _HEIGHT, "w": _WIDTH, "x": at % _ACROSS * _WIDTH, "y": y + at // _ACROSS * _HEIGHT}
            yield _panel(number, panel, place)
        y += -(-len(panels) // _ACROSS) * _HEIGHT


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    stacking = {"mode": "normal" if panel.is_stacked else "none"}
    custom = {"stacking": stacking, "fillOpacity": 20 if panel.is_stacked else 0}
    is_table = panel.shape == "table"
    return {
        "id": number,
        "type": panel.shape,
        "title": panel.title,
        "description": panel.doc,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": custom if panel.shape == "timeseries" else {}},
            "overrides": [],
        },
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend,
                "range": not is_table,
                "instant": is_table,
                "format": "table" if is_table else "time_series",
            }
            for at, (query, legend) in enumerate(panel.queries)
        ],
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.shape == "timeseries":
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.shape == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name"}
    return {"showHeader": True}
