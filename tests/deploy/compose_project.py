"""``deploy/docker/compose.yaml`` as a project that runs on this machine's loopback addresses, whatever else runs here.

What differs from the file: an address of 127.0.0.0/8 for each service in place of a network and published ports, which
an engine without bridge networks does not have; stand-ins for images that cannot be pulled; alert rules whose waits
(``for``) are seconds. Commands, volumes, secrets, health checks and thresholds are the file's.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from deploy_checks import REPO
from docker_engine import build, build_target, docker

DOCKER = REPO / "deploy/docker"
GGUF = "VISIONLLM_TEST_GGUF"
"""Variable that names a language model's file; without it the service `llm` stays out."""
LLAMA_SERVER = "VISIONLLM_TEST_LLAMA_SERVER"
"""Variable that names a folder with a `llama-server` of this machine, for where llama.cpp's image cannot be pulled."""
SERVICES = ("service", "worker", "postgres", "mlflow", "prometheus")
"""Grafana has no stand-in: its queries are put to Prometheus by the test."""
IMAGE = "visionllm-interaction:serve"
STAND_INS = ("postgres", "prometheus")
DRILL_FOR = "4s"
DRILL_SCRAPE = "2s"
MOST_OF_DISK = "size=5400m"
"""Data folder in memory: 5.66e9 bytes, above what VisionLLMDiskLow asks for, and full when a test says so."""


@dataclass
class ComposeProject:
    """A project that runs.

    Attributes:
        name: of the project; its containers and volumes begin with it.
        file: the derived compose file.
        addresses: service → its loopback address.
        passwords: that no container's description may hold.
        settings: variables of the compose file.
        key: of the service; it must be there before the service starts.
    """

    name: str
    file: Path
    addresses: dict[str, str]
    passwords: tuple[str, ...]
    settings: dict[str, str]
    key: str = ""

    def compose(self, *arguments: str, timeout_s: float = 600) -> str:
        """Call compose; a failure shows what it said."""
        command = [*compose_command(), "-p", self.name, "-f", str(self.file), *arguments]
        environment = {**os.environ, **self.settings}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=timeout_s, check=False)
        if done.returncode != 0:
            pytest.fail(f"{' '.join(command)}\n{(done.stdout + done.stderr).decode(errors='replace')[-4000:]}")
        return done.stdout.decode()

    def shell(self, commands: str, folder: Path) -> None:
        """Run commands of the docs in a folder, with this project in place of ``docker compose``."""
        ours = shlex.join([*compose_command(), "-p", self.name, "-f", str(self.file)])
        command = ["bash", "-euo", "pipefail", "-c", commands.replace("docker compose", ours)]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **self.settings}, capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.fail(f"{commands}\n{(done.stdout + done.stderr).decode(errors='replace')[-4000:]}")

    def container(self, service: str) -> str:
        """Id of the container of a service."""
        return self.compose("ps", "-q", service).split()[0]

    @property
    def holder(self) -> str:
        """Name of the container that keeps the data folder, which is in memory, while no service uses it."""
        return f"{self.name}-holder"

    def hold_data(self) -> None:
        """Keep the data folder from now on."""
        data = f"{self.name}_service-data:/data"
        docker("run", "-d", "--name", self.holder, "--entrypoint", "sleep", "-v", data, IMAGE, "infinity")

    def new_key(self) -> str:
        """A key of the service, as an administrator makes it."""
        made = docker("exec", self.holder, "visionllm", "keys", "create", "test", "--role", "admin", "--json").stdout
        return str(json.loads(made)["key"])

    def hosts(self) -> tuple[str, ...]:
        """Options of ``docker run`` under which the services have their names."""
        return tuple(part for name, at in self.addresses.items() for part in ("--add-host", f"{name}:{at}"))

    def sql(self, database: str, query: str) -> str:
        """The answer of the project's PostgreSQL."""
        ask = (
            f'PGPASSWORD="$(cat /run/secrets/postgres_password)" psql -qAt -h {self.addresses["postgres"]} -U visionllm'
        )
        done = docker("exec", self.container("postgres"), "sh", "-c", f'{ask} -d {database} -c "$0"', query)
        return done.stdout.decode().strip()

    def prometheus(self, path: str, **query: str) -> Any:
        """Data of an answer of Prometheus' HTTP API."""
        url = f"http://{self.addresses['prometheus']}:9090/api/v1/{path}"
        reply = httpx.get(url, params=query, timeout=30).raise_for_status().json()
        assert reply["status"] == "success", reply
        return reply["data"]

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire: name and instance."""
        alerts = self.prometheus("alerts")["alerts"]
        return {(a["labels"]["alertname"], a["labels"].get("instance", "")) for a in alerts if a["state"] == "firing"}


@contextmanager
def running_project(folder: Path, *, models: Path, detector: str) -> Iterator[ComposeProject]:
    """Build, start and wait for the services; everything of the project is removed after the block.

    Args:
        folder: for the derived files.
        models: folder seen as /models.
        detector: of the service and the worker.
    """
    for target in ("serve", "train"):
        build_target(target)
    name = f"visionllm-test-{secrets.token_hex(3)}"
    gguf = Path(os.environ[GGUF]) if GGUF in os.environ else None
    names = (*SERVICES, "llm") if gguf else SERVICES
    addresses = {service: f"127.77.{os.getpid() % 250}.{n}" for n, service in enumerate(names, start=1)}
    passwords = _write_secrets(folder)
    file = folder / "compose.yaml"
    file.write_text(yaml.safe_dump(_derived(folder, addresses)))
    settings = {"VISIONLLM_MODELS": str(models), "VISIONLLM_DETECTOR": detector}
    if gguf:
        model = {
            "VISIONLLM_LLM_FILE": gguf.name,
            "VISIONLLM_LLM_MODEL": "local",
            "VISIONLLM_LLM_URL": "http://llm:8080/v1",
            # A stand-in that was built for a virtual machine with AMX ends at its first product.
            "VISIONLLM_LLM_REPACK": "0",
        }
        settings |= model
    project = ComposeProject(name, file, addresses, passwords, settings)
    try:
        project.compose("up", "--no-start", timeout_s=300)
        project.hold_data()
        project.key = project.new_key()
        project.compose("up", "-d", timeout_s=300)
        wait_for(lambda: _all_up(project), what="every target up", seconds=600, told=lambda: project.compose("logs"))
        yield project
    finally:
        docker("rm", "-f", project.holder, check=False)
        project.compose("down", "-v", "-t", "5")


def compose_command() -> list[str]:
    """The plug-in of the engine's client, or the program of its own."""
    if docker("compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.fail("compose is missing: install docker's plug-in compose, or Debian's package docker-compose")


def wait_for(look: Callable[[], Any], *, what: str, seconds: float, told: Callable[[], str] = lambda: "") -> Any:
    """Call ``look`` until it gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"not within {seconds} s: {what}\n{told()[-6000:]}")


def targets(project: ComposeProject) -> dict[str, str]:
    """Instance of each target → its health."""
    return {t["labels"]["instance"]: t["health"] for t in project.prometheus("targets")["activeTargets"]}


def _all_up(project: ComposeProject) -> bool:
    try:
        health = targets(project)
    except (httpx.TransportError, httpx.HTTPStatusError):  # 503 while Prometheus reads its log of before
        return False
    return bool(health) and set(health.values()) == {"up"}


def _write_secrets(folder: Path) -> tuple[str, ...]:
    (folder / "secrets").mkdir()
    found = {name: secrets.token_hex(16) for name in ("postgres", "grafana")}
    for name, password in found.items():
        file = folder / "secrets" / f"{name}_password"
        file.write_text(password + "\n")
        file.chmod(0o444)
    return tuple(found.values())


def _derived(folder: Path, addresses: dict[str, str]) -> dict[str, Any]:
    content = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    services = {name: content["services"][name] for name in addresses}
    for name, service in services.items():
        for key in ("ports", "build", "profiles"):
            service.pop(key, None)
        service["network_mode"] = "host"
        service["extra_hosts"] = dict(addresses)
        service["restart"] = "no"
        for key in ("command", "healthcheck"):
            if key in service:
                service[key] = _at(service[key], addresses[name])
        service["volumes"] = [_mount(text, folder) for text in service["volumes"]]
        if name in STAND_INS:
            service["image"] = _available(name, service["image"])
    if "llm" in services:
        services["llm"]["volumes"] = [f"{Path(os.environ[GGUF]).parent}:/models:ro"]
        services["llm"]["image"] = _available("llm", services["llm"]["image"])
        # On two cores that all services share, one answer has taken more than the two minutes of the settings.
        services["service"]["command"] += ["-o", "reason.endpoint.timeout_s=900"]
    for name in ("service", "worker"):
        services[name]["environment"] = {"VISIONLLM_HEALTH_URL": f"http://{addresses[name]}:8000/v1/healthz"}
    services["postgres"]["command"] = ["-c", f"listen_addresses={addresses['postgres']}"]
    services["prometheus"]["command"] += [f"--web.listen-address={addresses['prometheus']}:9090"]
    _drill_rules(folder / "monitoring", addresses)
    disk = {"driver": "local", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": f"{MOST_OF_DISK},mode=0777"}}
    volumes = {**content["volumes"], "service-data": disk}
    volumes.pop("grafana-data")
    given = {key: {"file": str(folder / "secrets" / key)} for key in content["secrets"]}
    return {"version": "3.8", "services": services, "volumes": volumes, "secrets": given}


def _at(value: Any, address: str) -> Any:
    """A command or health check with the service's own address in place of any, and of 127.0.0.1."""
    text = json.dumps(value)
    for given in ("//127.0.0.1", "0.0.0.0", '"127.0.0.1"'):
        text = text.replace(given, given.replace("127.0.0.1", address).replace("0.0.0.0", address))
    return json.loads(text)


def _mount(text: str, folder: Path) -> str:
    if text.startswith("../monitoring:"):
        return f"{folder / 'monitoring'}{text.removeprefix('../monitoring')}"
    return text.replace("./", f"{DOCKER}/", 1) if text.startswith("./") else text


def _available(name: str, image: str) -> str:
    """The image as the file has it, or Debian's program in its place."""
    if docker("image", "inspect", image, check=False).returncode == 0:
        return image
    if docker("pull", image, check=False, timeout_s=300).returncode == 0:
        return image
    tag, here = f"visionllm-test/{name}", f"tests/deploy/stand_ins/{name}"
    build(tag, "-f", f"{here}/Dockerfile", os.environ[LLAMA_SERVER] if name == "llm" else here)
    return tag


def _drill_rules(folder: Path, addresses: dict[str, str]) -> None:
    """The shipped configuration and rules; only how often is looked and how long an alert waits are shorter."""
    shutil.copytree(REPO / "deploy/monitoring", folder)
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    config["global"] = dict.fromkeys(config["global"], DRILL_SCRAPE)
    for job in config["scrape_configs"]:
        for group in job["static_configs"]:
            group["targets"] = _own_address(group["targets"], addresses["prometheus"])
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    for file in (folder / "rules").glob("*.yml"):
        rules = yaml.safe_load(file.read_text())
        for rule in (rule for group in rules["groups"] for rule in group["rules"]):
            rule |= {"for": DRILL_FOR} if "for" in rule else {}
        file.write_text(yaml.safe_dump(rules))


def _own_address(found: Sequence[str], address: str) -> list[str]:
    return [target.replace("localhost", address) for target in found]
