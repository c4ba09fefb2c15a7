"""A Deployment for each kind of process, and what belongs to it.

Processes register themselves in the database, so pods need no stable names, and scaling one kind restarts nobody.
"""

from typing import Final

from workers.kinds import KINDS, MAIN, Kind
from workers.kubernetes.objects import (
    APP,
    CALLS_PORT,
    HTTP_PORT,
    METRICS_PORT,
    Object,
    autoscaler,
    disruption_budget,
    field,
    labels_of,
    name_of,
    of_kind,
    probe,
    restricted_container,
    restricted_pod,
    thing,
)

CONFIG: Final = f"{APP}-config"
"""The ConfigMap with homeserver.yaml."""
SECRETS: Final = f"{APP}-secrets"
"""The Secret with signing.key and secrets.yaml, which is merged over homeserver.yaml."""
_CONFIG_FOLDER, _SECRETS_FOLDER = "/etc/synapse-like/config", "/etc/synapse-like/secrets"
_MOST_PODS: Final = 10
STOP_SECONDS: Final = 30


def of(kind: Kind) -> list[Object]:
    """The objects of one kind; `main` is not scaled, it takes what is left."""
    name, labels = name_of(kind), of_kind(kind)
    objects = [_deployment(kind), _service(kind), disruption_budget(name, labels)]
    return objects if kind is MAIN else [*objects, autoscaler(name, labels, _least(kind), _MOST_PODS)]


def _least(kind: Kind) -> int:
    """How many pods at least: two, so that one may be missing; main is replaced by any other for a while."""
    return 1 if kind is MAIN else 2


def _deployment(kind: Kind) -> Object:
    labels = of_kind(kind)
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "topologySpreadConstraints": [spread],
        "containers": [_container(kind)],
        "volumes": [
            {"name": "config", "configMap": {"name": CONFIG}},
            {"name": "secrets", "secret": {"secretName": SECRETS}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    spec = {
        "selector": {"matchLabels": labels},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if kind is MAIN:
        spec = {"replicas": _least(kind), **spec}  # the others' numbers are the autoscaler's
    return thing("apps/v1", "Deployment", name_of(kind), labels, spec=spec)


def _container(kind: Kind) -> Object:
    return {
        "name": "server",
        "image": APP,
        "args": [kind.name, "-c", _CONFIG_FOLDER, "-c", _SECRETS_FOLDER],
        "env": [
            field("SYNAPSE_LIKE_NAME", "metadata.name"),
            field("POD_IP", "status.podIP"),
            {"name": "SYNAPSE_LIKE_LISTEN", "value": f"0.0.0.0:{HTTP_PORT}"},
            {"name": "SYNAPSE_LIKE_CALLS", "value": f"$(POD_IP):{CALLS_PORT}"},
            {"name": "SYNAPSE_LIKE_METRICS", "value": f"0.0.0.0:{METRICS_PORT}"},
        ],
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT},
            {"name": "calls", "containerPort": CALLS_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "startupProbe": probe("/health/live", periodSeconds=2, timeoutSeconds=5, failureThreshold=150),
        "livenessProbe": probe("/health/live", periodSeconds=10, timeoutSeconds=10, failureThreshold=6),
        "readinessProbe": probe("/health/ready", periodSeconds=2, timeoutSeconds=5, failureThreshold=2),
        # Until HAProxy has seen that the pod goes, it still gets requests.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {"requests": {"cpu": "200m", "memory": "160Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": restricted_container(),
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True},
            {"name": "secrets", "mountPath": _SECRETS_FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _service(kind: Kind) -> Object:
    """A name that resolves to the pods that are ready, for HAProxy and Prometheus."""
    ports = [
        {"name": "http", "port": HTTP_PORT, "targetPort": "http"},
        {"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"},
    ]
    spec = {"clusterIP": "None", "selector": of_kind(kind), "ports": ports}
    return thing("v1", "Service", name_of(kind), of_kind(kind), spec=spec)


def network_policies() -> list[Object]:
    """Who may connect to processes: HAProxy for requests, each other for calls, Prometheus's namespace for metrics."""
    ours = [{"podSelector": {"matchLabels": of_kind(kind)}} for kind in KINDS]
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    policies = []
    for kind in KINDS:
        ingress = [
            {"from": [{"podSelector": {"matchLabels": labels_of("haproxy")}}], "ports": [{"port": "http"}]},
            {"from": ours, "ports": [{"port": "calls"}]},
            {"from": [prometheus], "ports": [{"port": "metrics"}]},
        ]
        spec = {"podSelector": {"matchLabels": of_kind(kind)}, "policyTypes": ["Ingress"], "ingress": ingress}
        policies.append(thing("networking.k8s.io/v1", "NetworkPolicy", name_of(kind), of_kind(kind), spec=spec))
    return policies
