"""``python -m workers kubernetes``: writes the derived part of the folder ``k8s``, or says which files are stale."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from workers.kinds import KINDS
from workers.kubernetes import monitoring, processes, proxy
from workers.kubernetes.objects import name_of

_HEAD: Final = (
    "# Written by `python -m workers kubernetes`. To change something, write an overlay: see k8s/README.md.\n"
)


def files() -> Mapping[str, Callable[[], str]]:
    """The files, by their path below the folder."""
    parts: dict[str, Callable[[], str]] = {
        f"base/{name_of(kind)}.yaml": lambda kind=kind: _text(processes.of(kind))  # type: ignore[misc]
        for kind in KINDS
    }
    parts["base/network-policies.yaml"] = lambda: _text(processes.network_policies())
    parts["base/haproxy.yaml"] = lambda: _text(proxy.objects())
    base = [name.removeprefix("base/") for name in parts]
    parts["base/kustomization.yaml"] = lambda: _kustomization("Kustomization", "v1beta1", base)
    parts["monitoring/monitoring.yaml"] = lambda: _text(monitoring.objects())
    parts["monitoring/kustomization.yaml"] = lambda: _kustomization("Component", "v1alpha1", ["monitoring.yaml"])
    return parts


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``kubernetes``."""
    command = commands.add_parser(
        "kubernetes",
        help="write manifests for Kubernetes: a Deployment for each kind, HAProxy with the routes, monitoring",
        description="Write manifests for Kubernetes, as a base for kustomize: a Deployment for each kind of process, "
        "HAProxy with the routes of this version, and what Prometheus and Grafana take up.",
    )
    command.add_argument("--to", type=Path, default=Path("k8s"), metavar="FOLDER", help="default: k8s")
    command.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    command.set_defaults(run=_run)


def stale(folder: Path) -> list[str]:
    """The files that are not what this version would write."""
    return [name for name, render in files().items() if _read(folder / name) != render()]


def _run(chosen: argparse.Namespace) -> int:
    old = stale(chosen.to)
    if chosen.check:
        for name in old:
            print(f"{chosen.to / name} is stale: run python -m workers kubernetes", file=sys.stderr)
        return 1 if old else 0
    for name in old:
        path = chosen.to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files()[name](), encoding="utf-8")
        print(f"wrote {path}")
    return 0


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)


def _text(objects: Iterable[Mapping[str, Any]]) -> str:
    return _HEAD + yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=110)


def _kustomization(kind: str, version: str, resources: Iterable[str]) -> str:
    content = {"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind, "resources": sorted(resources)}
    return _HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
