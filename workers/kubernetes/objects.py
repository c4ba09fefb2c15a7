"""The parts that objects of Kubernetes share: names, labels, ports, and how a container is kept from doing harm."""

from typing import Any, Final

from workers.kinds import Kind

Object = dict[str, Any]

APP: Final = "synapse-like"
HTTP_PORT: Final = 8008
CALLS_PORT: Final = 9300
METRICS_PORT: Final = 9100
USER_ID: Final = 10091


def name_of(kind: Kind) -> str:
    """The name of a kind's objects; names of Kubernetes have no underscores."""
    return f"{APP}-{kind.name.replace('_', '-')}"


def labels_of(component: str) -> dict[str, str]:
    """The labels by which objects are found."""
    return {"app.kubernetes.io/name": APP, "app.kubernetes.io/component": component}


def of_kind(kind: Kind) -> dict[str, str]:
    """The labels of a kind's objects."""
    return labels_of(kind.name.replace("_", "-"))


def thing(version: str, kind: str, name: str, labels: dict[str, str], **rest: Any) -> Object:
    """An object."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **rest}


def restricted_pod() -> Object:
    """What a pod may do: nothing beyond computing and talking."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container() -> Object:
    """The same for a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def disruption_budget(name: str, labels: dict[str, str]) -> Object:
    """At most one pod of these at a time is taken away on purpose."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    return thing("policy/v1", "PodDisruptionBudget", name, labels, spec=spec)


def autoscaler(name: str, labels: dict[str, str], least: int, most: int) -> Object:
    """As many pods as it takes to use 0.7 of a core each: a process cannot use more than one."""
    behavior = {
        "scaleUp": {"stabilizationWindowSeconds": 60},
        "scaleDown": {
            "stabilizationWindowSeconds": 600,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}],
        },
    }
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "700m"}}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [cpu],
        "behavior": behavior,
    }
    return thing("autoscaling/v2", "HorizontalPodAutoscaler", name, labels, spec=spec)


def field(name: str, path: str) -> Object:
    """An environment variable that says something about the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def probe(path: str, **limits: int) -> Object:
    """A question at the port for metrics."""
    return {"httpGet": {"path": path, "port": "metrics"}, **limits}
