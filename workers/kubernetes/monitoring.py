"""What Prometheus's operator and Grafana's sidecar take up: where to scrape, the rules, the dashboard."""

from typing import Any, Final

import yaml

from workers.dashboards import grafana, prometheus
from workers.kinds import KINDS
from workers.kubernetes.objects import APP, Object, labels_of, of_kind, thing

_LABELS: Final = labels_of("monitoring")


def objects() -> list[Object]:
    """The objects."""
    endpoints = [{"port": "metrics", "path": "/metrics", "interval": "15s"}]
    components = [of_kind(kind)["app.kubernetes.io/component"] for kind in KINDS]
    selector = {
        "matchLabels": {"app.kubernetes.io/name": APP},
        "matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "In", "values": components}],
    }
    groups: Any = yaml.safe_load(prometheus.render())["groups"]
    dashboard = thing("v1", "ConfigMap", f"{APP}-dashboard", {**_LABELS, "grafana_dashboard": "1"})
    return [
        thing(
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            APP,
            _LABELS,
            spec={"selector": selector, "endpoints": endpoints},
        ),
        thing("monitoring.coreos.com/v1", "PrometheusRule", APP, _LABELS, spec={"groups": groups}),
        {**dashboard, "data": {"synapse-like.json": grafana.render()}},
    ]
