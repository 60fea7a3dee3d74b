"""The Kubernetes files: what they come to, and that they are closed. Their form: ``make check-deploy``."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml
from deploy_checks import REPO
from typer.main import get_command

from visionllm_interaction.cli.analysis import analyze
from visionllm_interaction.config import load
from visionllm_interaction.errors import ConfigError
from visionllm_interaction.server.config import ServeConfig

K8S = REPO / "deploy" / "k8s"
sys.path.append(str(K8S))
import render  # noqa: E402  # a script beside the files it renders

OVERLAYS = ("cpu", "gpu", "ha")


def objects(overlay: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Kind and name → object."""
    return {(item["kind"], item["metadata"]["name"]): item for item in render.render(K8S / "overlays" / overlay)}


def pods() -> list[tuple[str, dict[str, Any]]]:
    """Every pod that the files make, with a name for the test."""
    rendered = [(name, item) for name in OVERLAYS for item in objects(name).values()]
    rendered += [("jobs", item) for item in render.render(K8S / "jobs")]
    return [
        (f"{overlay} {item['metadata']['name']}", item["spec"]["template"]["spec"])
        for overlay, item in rendered
        if "template" in item.get("spec", {})
    ] + [(pod["metadata"]["name"], pod["spec"]) for pod in render.pods_of(ray_job())]


def ray_job() -> dict[str, Any]:
    """The job that analyses many videos."""
    (job,) = (item for item in render.render(K8S / "jobs") if item["kind"] == "RayJob")
    return job


@pytest.mark.parametrize(("name", "pod"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_pod_can_do_nothing_it_need_not(name: str, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert not any("value" in entry and "PASSWORD" in entry["name"] and "FILE" not in entry["name"]
                       for entry in container.get("env", ()))  # fmt: skip
    for container in pod["containers"]:
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]} | ({"data"} if "postgres" in name else set())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_is_closed_but_for_the_database_and_names(overlay: str) -> None:
    found = objects(overlay)
    assert found["NetworkPolicy", "deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    egress = found["NetworkPolicy", "service"]["spec"]["egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in egress] == [[5432], [53, 53]]
    assert all("ipBlock" not in peer for rule in egress for peer in rule["to"])
    assert all(item["metadata"]["namespace"] == "visionllm" for item in found.values())


def settings_of(container: dict[str, Any]) -> ServeConfig:
    """What the service of a container would run with: its options, with values of its environment in them."""
    values = {entry["name"]: entry.get("value", "visionllm-0") for entry in container["env"]}
    return load(
        overrides=[re.sub(r"\$\((\w+)\)", lambda m: values[m[1]], text) for text in container["args"][2::2]]
    ).serve


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_service_starts_with_settings_that_exist(overlay: str) -> None:
    (container,) = objects(overlay)["StatefulSet", "visionllm"]["spec"]["template"]["spec"]["containers"]
    command, *arguments = container["args"]
    assert command == "serve" and arguments[::2] == ["-o"] * (len(arguments) // 2)
    assert "serve.executor_id=$(POD_NAME)" in arguments
    settings = settings_of(container)
    assert settings.secure_cookie
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(Path(str(settings.detector)).parent) in mounts
    assert str(Path(str(settings.database_url_file)).parent) in mounts
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in ("/v1/healthz", "/v1/readyz")


def test_setup_waits_for_the_key_and_the_detector_of_the_service(tmp_path: Path) -> None:
    """Its script, run with folders of this machine in place of the volumes."""
    spec = objects("ha")["StatefulSet", "visionllm"]["spec"]["template"]["spec"]
    [setup], [service] = spec["initContainers"], spec["containers"]
    assert setup["image"] == service["image"] and setup["securityContext"] == service["securityContext"]
    settings = settings_of(service)
    shell, flag, script = setup["command"]
    assert f'[ -s /data/{settings.keys_path} ] && [ -s "$DETECTOR" ]' in script
    [detector] = [entry["value"] for entry in setup["env"]]
    assert detector == str(settings.detector)
    command = [shell, flag, script.replace("/data/", f"{tmp_path}/data/").replace("sleep 5", "sleep 0.1")]
    environment = {**os.environ, "DETECTOR": f"{tmp_path}{detector}"}
    waiting = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        for file in (tmp_path / "data" / settings.keys_path, tmp_path / "models" / settings.detector.name):
            assert waiting.stdout is not None and "waiting for a key" in waiting.stdout.readline()
            assert waiting.poll() is None
            file.parent.mkdir(parents=True)
            file.write_text("x")
        assert waiting.wait(timeout=20) == 0
    finally:
        waiting.kill()
        waiting.communicate()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_prometheus_finds_the_pods(overlay: str) -> None:
    """By the name of a service without an address of its own, which is that of its pods; by the job of the rules."""
    found = objects(overlay)
    [job] = yaml.safe_load((REPO / "deploy/monitoring/prometheus.kubernetes.yml").read_text())["scrape_configs"]
    [name] = job["dns_sd_configs"][0]["names"]
    port, protocol, service, namespace = name.removesuffix(".svc.cluster.local").split(".")
    pods = found["Service", service]
    assert pods["metadata"]["namespace"] == namespace and pods["spec"]["clusterIP"] == "None"
    assert (f"_{pods['spec']['ports'][0]['name']}", "_tcp") == (port, protocol)
    assert found["StatefulSet", "visionllm"]["spec"]["serviceName"] == service
    assert f'up{{job="{job["job_name"]}"}}' in (REPO / "deploy/monitoring/rules/visionllm.yml").read_text()


def test_an_unknown_setting_would_be_noticed() -> None:
    with pytest.raises(ConfigError):
        load(overrides=["serve.executor=pod"])


def test_overlays_change_what_they_say() -> None:
    cpu, gpu, ha = (objects(name) for name in OVERLAYS)
    limits = gpu["StatefulSet", "visionllm"]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == 1
    assert cpu["StatefulSet", "visionllm"]["spec"]["replicas"] == 1
    assert "replicas" not in ha["StatefulSet", "visionllm"]["spec"], "the autoscaler has the say"
    assert ha["PersistentVolumeClaim", "visionllm-data"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert ha["HorizontalPodAutoscaler", "visionllm"]["spec"]["minReplicas"] == 2
    for overlay, image, ending in ((cpu, "cpu", ".onnx"), (gpu, "serve", ".pt"), (ha, "cpu", ".onnx")):
        pod = overlay["StatefulSet", "visionllm"]["spec"]["template"]["spec"]
        for container in (*pod["containers"], *pod["initContainers"]):
            assert container["image"] == f"visionllm-interaction:{image}"
            assert container["env"][0]["value"].endswith(ending), "a checkpoint needs torch"


def test_the_ray_jobs_command_exists_and_has_room_for_its_workers() -> None:
    spec = ray_job()["spec"]
    shell, flag, command = shlex.split(spec["entrypoint"])
    assert (shell, flag) == ("bash", "-c")
    words = shlex.split(command)
    assert words[:2] == ["visionllm", "analyze"]
    known = {name for parameter in get_command(analysis_app()).params for name in parameter.opts}
    options = {word: words[n + 1] for n, word in enumerate(words) if word.startswith("--")}
    assert options.keys() <= known and options["--cluster"] == "ray" and options["--store"] == "$STORE_URL"
    [workers] = spec["rayClusterSpec"]["workerGroupSpecs"]
    [container] = workers["template"]["spec"]["containers"]
    assert int(options["--workers"]) <= workers["replicas"]
    assert int(options["--cpus"]) <= int(container["resources"]["requests"]["cpu"])
    assert spec["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def analysis_app() -> typer.Typer:
    """The command by itself."""
    app = typer.Typer()
    app.command()(analyze)
    return app


def test_the_pods_of_the_ray_job_have_an_image_and_a_policy_of_their_own() -> None:
    [policy] = [item for item in render.render(K8S / "jobs") if item["kind"] == "NetworkPolicy"]
    labels = policy["spec"]["podSelector"]["matchLabels"]
    for pod in render.pods_of(ray_job()):
        assert labels.items() <= pod["metadata"]["labels"].items()
        [container] = pod["spec"]["containers"]
        target = container["image"].removeprefix("visionllm-interaction:")
        assert f" AS {target}\n" in (REPO / "deploy/docker/Dockerfile").read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        {"entryPoint": "x"},
        {"submissionMode": "HttpMode"},
        {"rayClusterSpec": {"headGroupSpec": {"template": {"spec": {}}}, "workerGroupSpecs": []}},
    ],
)
def test_the_schema_of_ray_jobs_refuses_mistakes(wrong: dict[str, Any]) -> None:
    schema = json.loads((K8S / "rayjob.schema.json").read_text())
    jsonschema.validate(ray_job(), schema)
    job = ray_job()
    job["spec"] |= wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, schema)


def test_a_patch_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{K8S / 'base'}]\npatches: [{{path: p.yaml}}]\n")
    (tmp_path / "p.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: visionllm}\n")
    with pytest.raises(SystemExit, match="fits 0 objects"):
        render.render(tmp_path)
