"""The manifests: fresh, whole, and accepted by kustomize, the schemas of Kubernetes and HAProxy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from synapse_like.matrix.signing_keys import SigningKey, write_signing_keys
from tests.kit.proxies import check, find_haproxy
from workers.__main__ import main
from workers.kinds import KINDS, MAIN
from workers.kubernetes import command, proxy
from workers.kubernetes.objects import name_of
from workers.settings import load_settings

FOLDER = Path(__file__).resolve().parents[3] / "k8s"
SCHEMAS = ("1.30", "1.34")
UNKNOWN = ("ServiceMonitor", "PrometheusRule")
"""Objects of Prometheus's operator, which Kubernetes' own schemas do not have."""


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> list[dict[str, Any]]:
    """Every object of the example, as kustomize puts it together."""
    kubectl = shutil.which("kubectl") or str(Path(sys.executable).with_name("kubectl"))
    folder = tmp_path_factory.mktemp("kustomize") / "k8s"
    shutil.copytree(FOLDER, folder)
    (folder / "example" / "signing.key").write_text(write_signing_keys([SigningKey.from_seed("a", b"k" * 32)]))
    done = subprocess.run(
        [kubectl, "kustomize", str(folder / "example")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def named(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """(labels, spec) of every pod."""
    for deployment in named(objects, "Deployment").values():
        template = deployment["spec"]["template"]
        yield template["metadata"]["labels"], template["spec"]


def test_the_files_are_fresh():
    assert command.stale(FOLDER) == []
    there = {str(path.relative_to(FOLDER)) for part in ("base", "monitoring") for path in (FOLDER / part).iterdir()}
    assert there == set(command.files())


@pytest.mark.parametrize("version", SCHEMAS)
def test_every_object_fits_the_schemas(objects, version):
    checked = [each for each in objects if each["kind"] not in UNKNOWN]
    assert len(checked) > 20
    for each in checked:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_field_that_is_none_is_found(objects):
    deployment = {**objects[0], **next(iter(named(objects, "Deployment").values()))}
    deployment["spec"] = {**deployment["spec"], "replica": 3}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, SCHEMAS[0], strict=True)


def test_every_kind_has_what_it_needs(objects):
    for kind in KINDS:
        name = name_of(kind)
        for what in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"):
            assert name in named(objects, what)
        assert (name in named(objects, "HorizontalPodAutoscaler")) is (kind is not MAIN)
        container = named(objects, "Deployment")[name]["spec"]["template"]["spec"]["containers"][0]
        assert container["args"][0] == kind.name


def test_everything_that_is_referred_to_is_there(objects):
    configs, secrets = named(objects, "ConfigMap"), named(objects, "Secret")
    every = list(pods(objects))
    for _, pod in every:
        for volume in pod["volumes"]:
            assert volume.get("configMap", {"name": next(iter(configs))})["name"] in configs
            assert volume.get("secret", {"secretName": next(iter(secrets))})["secretName"] in secrets
    for service in named(objects, "Service").values():
        (pod,) = [pod for labels, pod in every if service["spec"]["selector"].items() <= labels.items()]
        ports = {port["name"] for container in pod["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for what in ("PodDisruptionBudget", "NetworkPolicy"):
        for each in named(objects, what).values():
            selector = each["spec"].get("selector") or each["spec"]["podSelector"]
            assert [labels for labels, _ in every if selector["matchLabels"].items() <= labels.items()]
    for scaler in named(objects, "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in named(objects, "Deployment")


def test_pods_may_do_nothing_beyond_their_work(objects):
    for _, pod in pods(objects):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_prometheus_scrapes_every_process_and_only_those(objects):
    monitor = named(objects, "ServiceMonitor")["synapse-like"]["spec"]
    (rule,) = monitor["selector"]["matchExpressions"]
    chosen = {
        name
        for name, service in named(objects, "Service").items()
        if service["metadata"]["labels"][rule["key"]] in rule["values"]
    }
    assert chosen == {name_of(kind) for kind in KINDS}
    assert named(objects, "PrometheusRule")["synapse-like"]["spec"]["groups"]


def test_haproxy_accepts_what_its_pod_writes(objects, tmp_path):
    pod = named(objects, "Deployment")[proxy.NAME]["spec"]["template"]["spec"]
    (writing,) = pod["initContainers"]
    shell, flag, text = writing["command"]
    for name, value in (("NAMESPACE", "matrix"), ("CLUSTER_DOMAIN", "cluster.local")):
        assert name in [variable["name"] for variable in writing["env"]]
        text = text.replace(f"$({name})", value)
    folder = pod["containers"][0]["volumeMounts"][0]["mountPath"]
    assert f"> {folder}/haproxy.cfg" in text
    text = text.replace(folder, str(tmp_path)).replace("python ", f"{sys.executable} ")
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    subprocess.run([shell, flag, text], env=environment, timeout=60, check=True)
    written = (tmp_path / "haproxy.cfg").read_text()
    for kind in KINDS:
        assert not kind.serves_requests or f"{name_of(kind)}.matrix.svc.cluster.local:8008" in written
    check([find_haproxy(), "-c", "-f", str(tmp_path / "haproxy.cfg")])


def test_the_server_reads_the_example(tmp_path):
    config, secrets = tmp_path / "config", tmp_path / "secrets"
    for folder, name in ((config, "homeserver.yaml"), (secrets, "secrets.yaml")):
        folder.mkdir()
        shutil.copy(FOLDER / "example" / name, folder)
    (secrets / "signing.key").write_text(write_signing_keys([SigningKey.from_seed("a", b"k" * 32)]))
    settings = load_settings([config, secrets])
    assert not [remark for remark in settings.remarks if "not a known key" in str(remark)]


def test_the_command_writes_what_is_stale(tmp_path, capsys):
    assert main(["kubernetes", "--to", str(tmp_path), "--check"]) == 1
    assert main(["kubernetes", "--to", str(tmp_path)]) == 0
    assert main(["kubernetes", "--to", str(tmp_path), "--check"]) == 0
    (tmp_path / "base" / "haproxy.yaml").write_text("")
    assert command.stale(tmp_path) == ["base/haproxy.yaml"]
    assert "is stale" in capsys.readouterr().err
