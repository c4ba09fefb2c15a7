"""The server on Kubernetes: manifests derived from the kinds of processes, folder ``k8s``.

`processes` is a Deployment for each kind with what belongs to it, `proxy` HAProxy in front, `monitoring` what
Prometheus and Grafana get; `command` is ``python -m workers kubernetes``. How to use them is in k8s/README.md.
"""
