"""The rules as a file for Prometheus."""

from typing import Any, Final

import yaml

from workers.dashboards.rules import ALERTS, RECORDED, Alert

_HEAD: Final = """\
# Rules for Prometheus: what is computed beforehand, and when to wake somebody. What to do then: RUNBOOKS.md.
# Written by `python -m workers dashboard`; change workers/dashboards/rules.py instead.
"""


def render() -> str:
    """The file."""
    groups = [
        {"name": "synapse-like-recorded", "rules": [{"record": rule.name, "expr": rule.query} for rule in RECORDED]},
        {"name": "synapse-like-alerts", "rules": [_alert(alert) for alert in ALERTS]},
    ]
    return _HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=110)


def _alert(alert: Alert) -> dict[str, Any]:
    page = f"RUNBOOKS.md#{alert.name.lower()}"
    annotations = {"summary": alert.summary, "runbook": alert.runbook, "runbook_page": page}
    return {
        "alert": alert.name,
        "expr": alert.query,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": annotations,
    }
