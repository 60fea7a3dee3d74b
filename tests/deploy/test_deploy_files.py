"""What can be known of the deployment files without an engine or a cluster."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from deploy_checks import REPO, assert_complete_run, tiny_training

from visionllm_bench.toyroom import make_toyroom
from visionllm_interaction.slurm_jobs import Recipe, recipes_folder

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
COMPOSE = yaml.safe_load((REPO / "deploy/docker/compose.yaml").read_text())
WORKFLOWS = REPO / ".github/workflows"
WORKFLOW = yaml.safe_load((WORKFLOWS / "ci.yml").read_text())
RECIPES = sorted((REPO / "deploy/slurm").glob("*.sbatch"))


def pins(name: str) -> dict[str, set[str]]:
    """Package → pinned versions in a requirements file (several, where they depend on the Python version)."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (REPO / name).read_text(), flags=re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("whole", ["requirements/train.txt", "requirements/serve.txt"])
def test_the_shared_layer_holds_the_versions_of_both_images(whole: str) -> None:
    """Otherwise the layers above it would replace torch, and gigabytes would be there twice."""
    assert pins("requirements/models.txt").items() <= pins(whole).items()
    assert "torch" in pins("requirements/models.txt")


def test_packages_of_the_images_only_have_the_versions_tests_run_with() -> None:
    dev = pins("requirements/dev.txt")
    assert pins("requirements/serve.txt")["opencv-python-headless"] == dev["opencv-python-headless"]
    assert "opencv-python" not in pins("requirements/serve.txt")
    assert pins("requirements/cpu.txt").items() <= pins("requirements/serve.txt").items() <= dev.items()
    assert "torch" not in pins("requirements/cpu.txt")
    assert pins("deploy/docker/postgres.txt").items() <= dev.items()


def test_image_label_is_the_version() -> None:
    label = re.search(r'image\.version="([^"]+)"', (REPO / "deploy/docker/Dockerfile").read_text())
    assert label is not None
    assert label[1] == PROJECT["version"]


def test_only_images_that_compute_on_gpus_ask_for_them() -> None:
    """Under NVIDIA's runtime `all` is every GPU of the machine, for a container that needs none as well."""
    stages = re.split(r"^FROM ", (REPO / "deploy/docker/Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    parents = {name: parent for parent, _, name in (stage.split("\n", 1)[0].split()[:3] for stage in stages)}
    asking = {stage.split()[2] for stage in stages if "NVIDIA_VISIBLE_DEVICES" in stage}

    def asks(stage: str) -> bool:
        return stage in asking or (stage in parents and asks(parents[stage]))

    assert {name: asks(name) for name in ("cpu", "cluster", "train", "serve")} == {
        "cpu": False,
        "cluster": False,
        "train": True,
        "serve": True,
    }


def test_compose_has_its_services_and_pinned_images() -> None:
    assert set(COMPOSE["services"]) == {"service", "worker", "llm", "postgres", "mlflow", "prometheus", "grafana"}
    assert [name for name, service in COMPOSE["services"].items() if "profiles" in service] == ["llm"]
    for name, service in COMPOSE["services"].items():
        tag = service["image"].partition(":")[2]
        assert tag not in ("", "latest"), name
        assert "healthcheck" in service or name in ("service", "worker", "grafana", "llm"), (
            name
        )  # theirs are in their images


def test_compose_listens_on_this_machine_only() -> None:
    published = {name for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published == set(COMPOSE["services"]) - {"worker", "llm"}
    ports = [port for name in published for port in COMPOSE["services"][name]["ports"]]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_containers_say_cannot_fill_the_disk() -> None:
    with_gpu = yaml.safe_load((REPO / "deploy/docker/compose.gpu.yaml").read_text())["services"]
    own = {name: service for name, service in with_gpu.items() if "image" in service}
    for name, service in {**COMPOSE["services"], **own}.items():
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_no_container_can_take_all_memory() -> None:
    for name, service in COMPOSE["services"].items():
        assert {"mem_limit", "pids_limit"} <= service.keys(), name


def test_the_example_of_settings_has_every_variable_of_compose() -> None:
    files = [REPO / "deploy/docker" / name for name in ("compose.yaml", "compose.gpu.yaml")]
    used = {name for file in files for name in re.findall(r"(?<!\$)\$\{([A-Z_]+)", file.read_text())}
    explained = set(re.findall(r"^(?:# )?([A-Z_]+)=", (REPO / "deploy/docker/.env.example").read_text(), re.MULTILINE))
    assert len(used) > 10
    assert used == explained - {"COMPOSE_PROJECT_NAME"}


def test_compose_takes_passwords_from_files_that_git_ignores() -> None:
    text = (REPO / "deploy/docker/compose.yaml").read_text() + (REPO / "deploy/docker/.env.example").read_text()
    assert not re.findall(r"PASSWORD\w*[:=]\s*[^\s\"/]", text.replace('PGPASSWORD="$$(cat /run/secrets/', ""))
    given = {name: entry["file"] for name, entry in COMPOSE["secrets"].items()}
    assert given == {name: f"./secrets/{name}" for name in ("postgres_password", "grafana_password")}
    used = {name for service in COMPOSE["services"].values() for name in service.get("secrets", ())}
    assert used == set(given)
    for path in (".env", "secrets/postgres_password"):
        ignored = subprocess.run(["git", "check-ignore", "-q", f"deploy/docker/{path}"], cwd=REPO, check=False)
        assert ignored.returncode == 0, path


def test_service_and_worker_differ_only_in_what_they_do() -> None:
    """They share the database, the data and the detector; only the service is reached, only the worker analyses."""
    service, worker = (COMPOSE["services"][name] for name in ("service", "worker"))
    assert service["volumes"] == worker["volumes"] and service["image"] == worker["image"]
    assert set(worker["command"]) - set(service["command"]) == {
        "serve.executor_id=worker",
        "serve.page=false",
        "serve.job_workers=${VISIONLLM_JOB_WORKERS:-1}",
    }
    assert set(service["command"]) - set(worker["command"]) == {
        "serve.job_workers=0",
        "reason.endpoint.base_url=${VISIONLLM_LLM_URL:-null}",
        "reason.endpoint.model=${VISIONLLM_LLM_MODEL:-null}",
    }


def test_every_alert_is_tested_and_explained() -> None:
    rules = yaml.safe_load((REPO / "deploy/monitoring/rules/visionllm.yml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    tested = yaml.safe_load((REPO / "deploy/monitoring/rules_test.yml").read_text())["tests"]
    fire = {case["alertname"] for test in tested for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert fire == alerts
    table = (REPO / "docs/deploy.md").read_text().partition("| alert |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(VisionLLM\w+)`", table)) == alerts


def test_panels_of_the_dashboard_have_places_of_their_own_and_show_what_they_name() -> None:
    panels = json.loads((REPO / "deploy/monitoring/grafana/dashboards/visionllm.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    for panel in panels:
        named = any("{{" in target["legendFormat"] for target in panel["targets"])
        if panel["type"] == "stat" and named:
            assert panel["options"]["textMode"] == "name", "else a single one is shown by its value, which is 1"


def test_compose_mounts_what_is_there() -> None:
    mounts = [volume for service in COMPOSE["services"].values() for volume in service["volumes"]]
    named = [mount.partition(":")[0] for mount in mounts if not mount.startswith((".", "$"))]
    assert set(named) == set(COMPOSE["volumes"])
    files = [mount.partition(":")[0] for mount in mounts if mount.startswith(".")]
    assert files
    assert all((REPO / "deploy/docker" / file).exists() for file in files)
    assert (REPO / "deploy/monitoring/prometheus.yml").is_file()


@pytest.mark.parametrize("name", ["ci", "release", "vulnerabilities"])
def test_a_workflow_has_least_rights_and_pinned_actions(name: str) -> None:
    workflow = yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text())
    assert workflow["permissions"] in ({"contents": "read"}, {})
    uses = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert uses
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in uses)
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_no_workflow_is_left_out() -> None:
    assert {path.stem for path in WORKFLOWS.iterdir()} == {"ci", "release", "vulnerabilities"}


def test_new_versions_wait_before_they_are_proposed() -> None:
    updates = yaml.safe_load((REPO / ".github/dependabot.yml").read_text())["updates"]
    assert {update["package-ecosystem"] for update in updates} >= {"github-actions", "pip", "docker"}
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates)
    assert all((REPO / update["directory"].lstrip("/")).is_dir() for update in updates)


def test_citation_names_the_version_and_licence_of_the_package() -> None:
    citation = yaml.safe_load((REPO / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_workflow_tests_every_python_the_package_claims() -> None:
    claimed = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", c)}
    assert set(WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"]) == claimed


def test_workflows_call_targets_that_exist() -> None:
    workflows = [yaml.safe_load(path.read_text()) for path in WORKFLOWS.iterdir()]
    steps: list[dict[str, Any]] = [step for flow in workflows for job in flow["jobs"].values() for step in job["steps"]]
    called = {name for step in steps for name in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))}
    targets = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"check", "test", "test-docker", "check-vulnerabilities"} <= called <= targets


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_recipe_parses_and_names_no_cluster(recipe: Any) -> None:
    subprocess.run(["bash", "-n", recipe], check=True)
    directives = re.findall(r"^#SBATCH (--[a-z-]+)", recipe.read_text(), flags=re.MULTILINE)
    assert {"--requeue", "--signal", "--time", "--output"} <= set(directives)
    assert not {"--partition", "--account", "--qos", "--mem", "--gres", "--constraint"} & set(directives)


def test_the_recipes_are_those_that_the_command_offers() -> None:
    assert [path.stem for path in RECIPES] == sorted(get_args(Recipe))
    assert [path.name for path in sorted(recipes_folder().glob("*.sbatch"))] == [path.name for path in RECIPES]


def test_pre_commit_runs_what_check_runs_with_the_tools_of_the_venv() -> None:
    config = REPO / ".pre-commit-config.yaml"
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    repos = yaml.safe_load(config.read_text())["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    entries = " ".join(hook["entry"] for hook in repos[0]["hooks"])
    assert all(f".venv/bin/{tool}" in entries for tool in ("ruff check", "ruff format", "mypy", "lint-imports"))


def test_the_recipes_stop_and_are_queued_again_by_the_same_lines() -> None:
    """A job's script is copied to its node, so that recipes cannot share a file; what they share must not drift."""

    def shared(recipe: Path) -> str:
        lines = recipe.read_text().partition('\nif [ -n "${VISIONLLM_IMAGE:-}" ]')[2].partition("\n}\n\n")[0]
        return re.sub(r"queued again and .*\"", "", lines)

    [first, *others] = map(shared, RECIPES)
    assert "queue_again()" in first and "run()" in first
    assert all(other == first for other in others)


def _fake_cluster(folder: Path) -> dict[str, str]:
    """`srun` that takes a minute, `scancel` that ends it, and `scontrol` that writes down how it was called."""
    commands = {
        "srun": 'echo "$@" >>calls; echo $$ >running; exec sleep 60',
        "scancel": 'echo scancel "$@" >>calls; [ -f running ] && kill "$(cat running)"',  # fails without a step
        "scontrol": 'echo scontrol "$@" >>calls',
    }
    for name, script in commands.items():
        file = folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "job", "SLURM_CPUS_PER_TASK": "1"}
    return {**os.environ, **slurm, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("recipe", "arguments", "step"),
    [
        ("train", (), " toyroom "),
        ("train", ("-o", "data.root=x"), " run "),
        ("tune", ("-o", "data.root=x"), " transform "),
        ("analyze", ("videos.txt", "--store", "s"), " analyze "),
    ],
)
def test_a_job_whose_time_is_up_in_its_first_step_is_queued_again(
    recipe: str, arguments: tuple[str, ...], step: str, tmp_path: Path
) -> None:
    (tmp_path / "videos.txt").write_text("a.mp4\n")
    command = ["bash", str(REPO / f"deploy/slurm/{recipe}.sbatch"), *arguments]
    job = subprocess.Popen(command, cwd=tmp_path, env=_fake_cluster(tmp_path), stdout=subprocess.PIPE, text=True)
    try:
        _wait_until(lambda: (tmp_path / "running").is_file())
        assert step in (tmp_path / "calls").read_text()
        job.send_signal(signal.SIGUSR1)
        said, _ = job.communicate(timeout=30)
    finally:
        job.kill()
    assert job.returncode == 0 and "time is nearly up" in said
    assert (tmp_path / "calls").read_text().splitlines()[1:] == ["scancel --signal=TERM 7", "scontrol requeue 7"]


@pytest.mark.parametrize(
    ("slurm", "launcher"),
    [
        ({}, "-o"),
        ({"SLURM_GPUS_ON_NODE": "1"}, "-o"),
        ({"SLURM_GPUS_ON_NODE": "4"}, "--nnodes=1 --nproc-per-node=4 --standalone --no-python"),
        (
            {"SLURM_GPUS_ON_NODE": "4", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "gpu[7-8]"},
            "--nnodes=2 --nproc-per-node=4 --rdzv-backend=c10d --rdzv-id=70123 --rdzv-endpoint=gpu7:20123 --no-python",
        ),
        (
            {"SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "gpu[7-8]"},
            "--nnodes=2 --nproc-per-node=1 --rdzv-backend=c10d --rdzv-id=70123 --rdzv-endpoint=gpu7:20123 --no-python",
        ),
    ],
    ids=["no GPU", "1 GPU", "4 GPUs", "2 nodes of 4 GPUs", "2 nodes without GPUs"],
)
@pytest.mark.parametrize("image", [None, "visionllm.sif"])
def test_every_gpu_of_a_training_job_gets_a_process(
    slurm: dict[str, str], launcher: str, image: str | None, tmp_path: Path
) -> None:
    environment = _fake_cluster(tmp_path) | {"SLURM_JOB_ID": "70123", "SLURM_CPUS_PER_TASK": "8"} | slurm
    environment |= {"VISIONLLM_IMAGE": image} if image else {"VISIONLLM_VENV": "/venv"}
    (tmp_path / "bin/srun").write_text('#!/bin/sh\necho "threads=$OMP_NUM_THREADS $*" >>calls\n')
    # So many names that whoever reads only the first closes the pipe while they are still written.
    (tmp_path / "bin/scontrol").write_text("#!/bin/sh\nseq -f gpu%g 7 100000\n")
    recipe = ["bash", str(REPO / "deploy/slurm/train.sbatch"), "-o", "data.root=x"]
    subprocess.run(recipe, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    [call] = (tmp_path / "calls").read_text().splitlines()
    processes = int(slurm.get("SLURM_GPUS_ON_NODE", "1"))
    assert call.startswith(f"threads={8 // processes} ")
    apptainer = f"--nv --bind {tmp_path} --pwd {tmp_path} {image}"
    if launcher == "-o":
        started = f"apptainer run {apptainer}" if image else "/venv/bin/visionllm"
    else:
        torchrun = f"apptainer exec {apptainer} torchrun" if image else "/venv/bin/torchrun"
        started = f"{torchrun} --shutdown-timeout=120 {launcher} {'visionllm' if image else '/venv/bin/visionllm'}"
    assert call.endswith(f".log {started} run --json -o data.root=x")


def test_a_training_job_has_one_task_on_each_node() -> None:
    """`--ntasks=1` would make Slurm give back all nodes but one."""
    directives = re.findall(r"^#SBATCH (--\S+)", (REPO / "deploy/slurm/train.sbatch").read_text(), flags=re.MULTILINE)
    assert "--ntasks-per-node=1" in directives
    assert not [option for option in directives if option.startswith("--ntasks=")]


@pytest.mark.slow
def test_a_training_job_of_two_processes_does_what_one_does(tmp_path: Path) -> None:
    make_toyroom(tmp_path / "toyroom", images=16, videos=0, seed=5)
    losses = []
    for processes in ("1", "2"):
        folder = tmp_path / processes
        folder.mkdir()
        slurm = {"VISIONLLM_PROCESSES": processes, "VISIONLLM_VENV": sys.prefix}
        environment = _fake_cluster(folder) | slurm | {"CUDA_VISIBLE_DEVICES": ""}
        (folder / "bin/srun").write_text('#!/bin/sh\nshift 2\nexec "$@" >>log\n')
        settings = ["-o", "data.root=../toyroom", *tiny_training(epochs=1), "-o", "model.normalization=group"]
        recipe = ["bash", str(REPO / "deploy/slurm/train.sbatch"), *settings, "-o", "tracking.kind=none"]
        done = subprocess.run(recipe, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        json.loads((folder / "log").read_text())  # of the first process only
        run = assert_complete_run(folder / "artifacts")
        with (run / "model_trainer/metrics.csv").open() as metrics:
            losses.append(float(next(csv.DictReader(metrics))["train_loss"]))
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


def test_a_tuning_job_that_waits_for_another_is_queued_again(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with (tmp_path / "logs/stages-7.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["bash", str(REPO / "deploy/slurm/tune.sbatch"), "-o", "data.root=x"]
        job = subprocess.Popen(command, cwd=tmp_path, env=_fake_cluster(tmp_path), stdout=subprocess.PIPE, text=True)
        try:
            assert job.stdout is not None
            while "output:" not in job.stdout.readline():
                assert job.poll() is None
            time.sleep(0.3)
            job.send_signal(signal.SIGUSR1)
            _wait_until(lambda: job.poll() is not None)
        finally:
            job.kill()
            job.stdout.close()
    assert job.returncode == 0
    assert "scontrol requeue 7" in (tmp_path / "calls").read_text()


def _wait_until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)
