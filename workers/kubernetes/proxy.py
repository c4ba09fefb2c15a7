"""HAProxy in front of the processes. A container with the server's image writes its routes when a pod starts, so that
they are always those of the version that runs.
"""

from typing import Final

from workers.kubernetes.objects import (
    APP,
    HTTP_PORT,
    Object,
    autoscaler,
    disruption_budget,
    field,
    labels_of,
    restricted_container,
    restricted_pod,
    thing,
)

IMAGE: Final = "haproxy"
NAME: Final = f"{APP}-haproxy"
_LABELS: Final = labels_of("haproxy")
_FOLDER: Final = "/usr/local/etc/haproxy"
_DNS: Final = f"{APP}-{{kind}}.$(NAMESPACE).svc.$(CLUSTER_DOMAIN):{HTTP_PORT}"
"""HAProxy looks names up as they stand, so they are whole."""
_LEAST, _MOST = 2, 6


def objects() -> list[Object]:
    """HAProxy and what belongs to it."""
    return [
        _deployment(),
        thing(
            "v1",
            "Service",
            APP,
            _LABELS,
            spec={"selector": _LABELS, "ports": [{"name": "http", "port": HTTP_PORT, "targetPort": "http"}]},
        ),
        disruption_budget(NAME, _LABELS),
        autoscaler(NAME, _LABELS, _LEAST, _MOST),
        thing(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            NAME,
            _LABELS,
            spec={
                "podSelector": {"matchLabels": _LABELS},
                "policyTypes": ["Ingress"],
                "ingress": [{"ports": [{"port": "http"}]}],
            },
        ),
    ]


def _routes() -> Object:
    """What writes the configuration before HAProxy starts."""
    listen = f"0.0.0.0:{HTTP_PORT}"
    command = f"python -m workers routes --format haproxy --listen {listen} --dns '{_DNS}' > {_FOLDER}/haproxy.cfg"
    return {
        "name": "routes",
        "image": APP,
        "command": ["sh", "-c", command],
        "env": [field("NAMESPACE", "metadata.namespace"), {"name": "CLUSTER_DOMAIN", "value": "cluster.local"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "config", "mountPath": _FOLDER}],
    }


def _deployment() -> Object:
    container = {
        "name": "haproxy",
        "image": IMAGE,
        "ports": [{"name": "http", "containerPort": HTTP_PORT}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 2},
        "livenessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "config", "mountPath": _FOLDER, "readOnly": True}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "terminationGracePeriodSeconds": 30,
        "initContainers": [_routes()],
        "containers": [container],
        "volumes": [{"name": "config", "emptyDir": {}}],
    }
    spec = {
        "selector": {"matchLabels": _LABELS},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
    return thing("apps/v1", "Deployment", NAME, _LABELS, spec=spec)
